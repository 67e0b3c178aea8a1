import type { EpochMs, LoopFacts, RefusalReason } from '../../model/index.ts'
import { ungranted } from '../../plan/index.ts'
import { countHosts } from './count-hosts.ts'
import type { Planner } from './planner.ts'
import type { SourceStates } from './source-states.ts'

/** Alarm `loop-silent` evaluates one-minute periods. */
const EVERY_MS = 60_000
/** The fleet is read every few seconds; a control loop whose last reading is older than this is stuck. */
const STUCK_AFTER_MS = 45_000

type FactsParts = Pick<Planner, 'clock' | 'fleet' | 'sources' | 'work'>
type HeartbeatParts = FactsParts & Pick<Planner, 'log' | 'lease'>

/** Logs once a minute that the control loop works, and its counts: for metrics and for readers of the log. */
export async function emitHeartbeat(parts: HeartbeatParts, signal: AbortSignal): Promise<void> {
  const { clock, log, lease } = parts
  while (!signal.aborted && lease.holds()) {
    const facts = loopFacts(parts)
    if (facts.lagMs < STUCK_AFTER_MS) log.emit({ name: 'loop.alive', ...facts })
    else log.emit({ name: 'loop.stuck', ...facts })
    await clock.sleep(EVERY_MS, signal)
  }
}

function loopFacts({ clock, fleet, sources, work }: FactsParts): LoopFacts {
  const nowMs = clock.monotonicMs()
  return {
    working: work.isLeft || work.msSinceWork < EVERY_MS,
    ...countHosts([...fleet.hosts]),
    running: [...fleet.liveRunners()].filter(({ state }) => state === 'running').length,
    ...waitingFacts(sources, clock.now()),
    lagMs: Math.round(nowMs - fleet.readAtMs),
    sourcesFailing: sources.all.filter((state) => (state.conditionAt(nowMs)?.kind ?? 'ok') !== 'ok').length,
  }
}

function waitingFacts(sources: SourceStates, now: EpochMs) {
  const sets = sources.all.flatMap((state) => state.waiting).filter((jobs) => ungranted(jobs) > 0)
  const waiting = sets.reduce((sum, jobs) => sum + ungranted(jobs), 0)
  const refusals = sources.all.flatMap((state) => state.refusals)
  const refused = (codes: ReadonlySet<RefusalReason['code']>): number =>
    refusals.reduce((sum, { reason, count }) => sum + (codes.has(reason.code) ? count : 0), 0)
  const [waitingNoRoom, waitingNoTemplate] = [refused(NO_ROOM), refused(NO_TEMPLATE)]
  const oldest = Math.min(...sets.map((jobs) => jobs.oldestQueuedAt ?? Infinity))
  return {
    waiting,
    waitingNoRoom,
    waitingNoTemplate,
    waitingOther: Math.max(0, waiting - waitingNoRoom - waitingNoTemplate),
    oldestWaitingMs: Number.isFinite(oldest) ? Math.max(0, now - oldest) : 0,
  }
}

const NO_ROOM: ReadonlySet<RefusalReason['code']> = new Set([
  'no-room',
  'template-full',
  'start-rate',
  'too-large',
  'waiting-for-share',
])
const NO_TEMPLATE: ReadonlySet<RefusalReason['code']> = new Set(['no-template', 'no-host-assigned'])
