import {
  type ConnectionId,
  type DispatchedRunner,
  type Host,
  type LaunchOrder,
  type ReservedRunner,
  SlipwayError,
  type Template,
} from '../../model/index.ts'
import type { Mint } from '../../ports/index.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'

/** Dispatches what was minted: one write per runner, then one message per host. */
export async function dispatch(
  loop: Loop,
  minted: readonly { runner: ReservedRunner; template: Template; mint: Extract<Mint, { ok: true }> }[],
  desk: SourceDesk,
): Promise<void> {
  const batches = new Map<ConnectionId, Batch>()
  await forEachLimited(minted, WRITES_AT_ONCE, async ({ runner, template, mint }) => {
    const host = loop.view.host(runner.host)
    if (host?.state !== 'online' || host.connection === null) {
      await loop.endUnlaunched(
        runner,
        'never-arrived',
        `Host ${runner.host} went offline before the launch was sent.`,
      )
      return
    }
    if (!loop.lease.holds()) return
    const moved = await loop.hub.store.dispatchRunner({
      host: host.id,
      id: runner.id,
      epoch: host.epoch,
      now: loop.now,
    })
    loop.advance(moved.runner)
    if (!moved.moved || moved.runner?.state !== 'dispatched') return
    const batch = batches.get(host.connection) ?? { host, connection: host.connection, launches: [] }
    batches.set(host.connection, batch)
    batch.launches.push({ order: orderOf(loop, desk, runner, template, mint), runner: moved.runner })
  })
  await forEachLimited(batches.values(), WRITES_AT_ONCE, (batch) => post(loop, batch))
}

/** Launches for one session of a host: for the very one that they were dispatched under, whatever came after it. */
interface Batch {
  readonly host: Host
  readonly connection: ConnectionId
  readonly launches: { readonly order: LaunchOrder; readonly runner: DispatchedRunner }[]
}

async function post(loop: Loop, { host, connection, launches }: Batch): Promise<void> {
  const { gateway, log, random } = loop.hub
  const { id } = host
  if (!loop.lease.holds()) return
  const command = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  try {
    const posted = await gateway.post(connection, {
      type: 'launch',
      command,
      epoch: host.epoch,
      fence: loop.lease.fence,
      launches: launches.map(({ order }) => order),
    })
    if (posted === 'posted') return
  } catch (cause) {
    if (isTooLarge(cause)) {
      await refuseTooLarge(loop, { host, connection, launches }, cause.message)
      return
    }
    // It may have arrived: only the agent can tell, and upkeep asks it.
    log.emit({ name: 'launch.delivery-unknown', host: id, launches: launches.length, cause })
    return
  }
  await loop.connectionGone({ host: id, connection })
  await forEachLimited(launches, WRITES_AT_ONCE, ({ runner }) =>
    loop.endUnlaunched(runner, 'never-arrived', `Host ${id} had just disconnected when the launch was sent.`),
  )
}

function isTooLarge(thrown: unknown): thrown is SlipwayError {
  return thrown instanceof SlipwayError && thrown.code === 'message-too-large'
}

/** Nothing of the batch was sent. What fits goes alone; what doesn't would not fit tomorrow either. */
async function refuseTooLarge(loop: Loop, batch: Batch, reason: string): Promise<void> {
  const [only, ...others] = batch.launches
  if (only !== undefined && others.length === 0) {
    await loop.endUnlaunched(only.runner, 'launch-too-large', `${reason} Make the template's env smaller.`)
    return
  }
  await forEachLimited(batch.launches, WRITES_AT_ONCE, (launch) =>
    post(loop, { ...batch, launches: [launch] }),
  )
}

function orderOf(
  loop: Loop,
  desk: SourceDesk,
  runner: ReservedRunner,
  template: Template,
  mint: Extract<Mint, { ok: true }>,
): LaunchOrder {
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
    expiresInMs: launchLifeMs(loop, desk, runner),
    startDeadlineMs: desk.limits.registrationDeadlineMs,
    maxLifetimeMs: template.maxLifetimeMs,
    stopTimeoutMs: template.stopTimeoutMs,
  }
}

/** A warm runner has no reservation to end: its token lives as long as it has to register. */
function launchLifeMs(loop: Loop, desk: SourceDesk, { reservation }: ReservedRunner): number {
  return reservation === null
    ? desk.limits.registrationDeadlineMs
    : Math.max(0, Math.floor(reservation.expiresAt - loop.now))
}
