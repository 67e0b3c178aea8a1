import { type EpochMs, type Lease, RELEASED_AT, type SourceId, type SourceStatus } from '../../model/index.ts'
import type { LeaseStore, SourceStatusStore } from '../../ports/index.ts'
import type { AdminPorts } from './ports.ts'

/** An idle control loop is started every minute; after three missed starts it counts as stopped. */
const IDLE_MAX_MS = 3 * 60_000

export interface Health {
  /** No person has to act. */
  readonly ok: boolean
  readonly loop: {
    /** `idle`: no work, and the sources were polled lately. `stopped`: no control loop runs any more. */
    readonly state: 'working' | 'idle' | 'stopped' | 'never-started'
    readonly build: string | null
    readonly takenAt: EpochMs | null
  }
  readonly sources: readonly SourceHealth[]
}

export interface SourceHealth {
  readonly source: SourceId
  readonly state: 'ok' | 'secret-missing' | 'failing' | 'unknown'
  /** The parameter in which the missing token belongs. */
  readonly parameter: string | null
  /** The code of the failure. */
  readonly code: string | null
  readonly checkedAt: EpochMs | null
}

/** Whether the hub works. Reveals nothing about hosts, runners or jobs, because anybody may ask. */
export async function checkHealth({
  store,
  clock,
  sources,
}: Pick<AdminPorts, 'clock' | 'sources'> & {
  readonly store: Pick<LeaseStore, 'readLease'> & Pick<SourceStatusStore, 'readSourceStatuses'>
}): Promise<Health> {
  const [lease, statuses] = await Promise.all([store.readLease(), store.readSourceStatuses()])
  const known = new Map(statuses.map((status) => [status.source, status]))
  const ids = sources.map(({ id }) => id).toSorted()
  const healths = ids.map((id) => sourceHealth(id, known.get(id) ?? null))
  const state = loopState(lease, healths, clock.now())
  const isAlive = state === 'working' || state === 'idle'
  return {
    ok: isAlive && healths.every((source) => source.state === 'ok'),
    loop: { state, build: lease?.build ?? null, takenAt: lease?.takenAt ?? null },
    sources: healths,
  }
}

/** A tick that only polls takes no lease: the statuses of the sources show when it polled. */
function loopState(
  lease: Lease | null,
  sources: readonly SourceHealth[],
  now: EpochMs,
): Health['loop']['state'] {
  if (lease === null) return 'never-started'
  if (lease.expiresAt > now) return 'working'
  const polledAt = Math.max(lease.takenAt, ...sources.map(({ checkedAt }) => checkedAt ?? 0))
  return lease.expiresAt === RELEASED_AT && now - polledAt < IDLE_MAX_MS ? 'idle' : 'stopped'
}

function sourceHealth(source: SourceId, status: SourceStatus | null): SourceHealth {
  if (status === null) return { source, state: 'unknown', parameter: null, code: null, checkedAt: null }
  const { state, checkedAt } = status
  return {
    source,
    state: state.kind,
    parameter: state.kind === 'secret-missing' ? state.parameter : null,
    code: state.kind === 'failing' ? state.code : null,
    checkedAt,
  }
}
