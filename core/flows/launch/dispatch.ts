import {
  type ConnectionId,
  type DispatchedRunner,
  type EpochMs,
  type Host,
  type LaunchOrder,
  type ReservedRunner,
  SlipwayError,
  type SourceLimits,
  type Template,
} from '../../model/index.ts'
import type { Mint, RunnerStore } from '../../ports/index.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { connectionGone, type ConnectionGoneParts } from '../planner/connection-gone.ts'
import { endUnlaunched, type EndUnlaunchedParts } from '../planner/end-unlaunched.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'

export type DispatchParts = EndUnlaunchedParts &
  ConnectionGoneParts &
  Pick<Planner, 'random' | 'gateway'> & { readonly store: Pick<RunnerStore, 'dispatchRunner'> }

/** A runner with its token. */
export interface Minted {
  readonly runner: ReservedRunner
  readonly template: Template
  readonly mint: Extract<Mint, { ok: true }>
}

/** Dispatches what was minted: one write per runner, then one message per host. */
export async function dispatch(
  parts: DispatchParts,
  state: SourceState,
  minted: readonly Minted[],
): Promise<void> {
  const { store, clock, lease, fleet, runners } = parts
  const batches = new Map<ConnectionId, Batch>()
  await forEachLimited(minted, WRITES_AT_ONCE, async (one) => {
    const { runner } = one
    const host = fleet.host(runner.host)
    if (host?.state !== 'online' || host.connection === null) {
      const reason = `Host ${runner.host} went offline before the launch was sent.`
      await endUnlaunched(parts, runner, 'never-arrived', reason)
      return
    }
    if (!lease.holds()) return
    const { id, epoch } = host
    const moved = await store.dispatchRunner({ host: id, id: runner.id, epoch, now: clock.now() })
    runners.advance(moved.runner)
    if (!moved.moved || moved.runner?.state !== 'dispatched') return
    const batch = batches.get(host.connection) ?? { host, connection: host.connection, launches: [] }
    batches.set(host.connection, batch)
    batch.launches.push({ order: orderOf(one, state.limits, clock.now()), runner: moved.runner })
  })
  await forEachLimited(batches.values(), WRITES_AT_ONCE, (batch) => post(parts, batch))
}

/**
 * Launches for one session of a host: for exactly the one under which they were dispatched, whatever session came after
 * it.
 */
interface Batch {
  readonly host: Host
  readonly connection: ConnectionId
  readonly launches: { readonly order: LaunchOrder; readonly runner: DispatchedRunner }[]
}

async function post(parts: DispatchParts, { host, connection, launches }: Batch): Promise<void> {
  const { gateway, log, random, lease } = parts
  const { id } = host
  if (!lease.holds()) return
  const command = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  try {
    const posted = await gateway.post(connection, {
      type: 'launch',
      command,
      epoch: host.epoch,
      fence: lease.fence,
      launches: launches.map(({ order }) => order),
    })
    if (posted === 'posted') return
  } catch (cause) {
    if (isTooLarge(cause)) {
      await refuseTooLarge(parts, { host, connection, launches }, cause.message)
      return
    }
    // The message may have arrived: only the agent knows, and the repair task asks it.
    log.emit({ name: 'launch.delivery-unknown', host: id, launches: launches.length, cause })
    return
  }
  await connectionGone(parts, { host: id, connection })
  const reason = `Host ${id} disconnected before the launch was sent.`
  await forEachLimited(launches, WRITES_AT_ONCE, ({ runner }) =>
    endUnlaunched(parts, runner, 'never-arrived', reason),
  )
}

function isTooLarge(thrown: unknown): thrown is SlipwayError {
  return thrown instanceof SlipwayError && thrown.code === 'message-too-large'
}

/** Nothing of the batch was sent. Each launch is sent alone; one that is too large by itself will never fit. */
async function refuseTooLarge(parts: DispatchParts, batch: Batch, reason: string): Promise<void> {
  const [only, ...others] = batch.launches
  if (only !== undefined && others.length === 0) {
    const advice = `${reason} Make the template's env smaller.`
    await endUnlaunched(parts, only.runner, 'launch-too-large', advice)
    return
  }
  await forEachLimited(batch.launches, WRITES_AT_ONCE, (launch) =>
    post(parts, { ...batch, launches: [launch] }),
  )
}

function orderOf({ runner, template, mint }: Minted, limits: SourceLimits, now: EpochMs): LaunchOrder {
  return {
    runner: runner.id,
    origin: {
      template: template.key,
      source: runner.source,
      labels: template.labels,
      reservation: runner.reservation?.id ?? null,
      ...template.size,
    },
    image: template.image,
    pull: template.pull,
    isolation: template.isolation,
    env: { ...template.env, ...mint.env },
    secretEnv: mint.secretEnv,
    expiresInMs: launchLifeMs(runner, limits, now),
    startDeadlineMs: limits.registrationDeadlineMs,
    maxLifetimeMs: template.maxLifetimeMs,
    stopTimeoutMs: template.stopTimeoutMs,
  }
}

/** A warm runner has no reservation: its launch is valid as long as it may take to register. */
function launchLifeMs({ reservation }: ReservedRunner, limits: SourceLimits, now: EpochMs): number {
  return reservation === null
    ? limits.registrationDeadlineMs
    : Math.max(0, Math.floor(reservation.expiresAt - now))
}
