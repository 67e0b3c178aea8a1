import type { Host, HostId, LiveRunner, ReservedRunner, RunnerId, StopReason } from '../../model/index.ts'
import type { Loop } from './planner.ts'
import { freeOrphan, orphansOf } from './orphaned-slots.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

const UPKEEP_EVERY_MS = 2_000
/** A launch should be seen running by then on a quick host; after it, the agent is asked. */
const SILENT_AFTER_MS = 15_000
/** Orders are repeated until they show: commands may get lost. */
const REPEAT_EVERY_MS = 10_000
/** A warm runner has no reservation to run out: its mint should have come by then. */
const WARM_RESERVED_MAX_MS = 5 * 60_000
/** A claim writes its runners at once after it; a slot without a runner for this long is an orphan. */
const ORPHAN_AFTER_MS = 30_000

/** When what was last asked of a host's agent, and since when a slot has looked like an orphan. */
interface Memory {
  readonly askedAtMs: Map<RunnerId, number>
  readonly orphanSinceMs: Map<RunnerId, number>
}

/** Repeats what was not heard and mends what a crash left, until the signal aborts. */
export async function upkeep(loop: Loop, signal: AbortSignal): Promise<void> {
  const memory: Memory = { askedAtMs: new Map(), orphanSinceMs: new Map() }
  while (!signal.aborted && loop.lease.holds()) {
    await endOverdue(loop)
    await chaseRunners(loop, memory)
    await freeOrphans(loop, memory)
    await loop.hub.clock.sleep(UPKEEP_EVERY_MS, signal)
  }
}

/** Their mint has not come, because their source can't be had: they must not keep room from the others. */
async function endOverdue(loop: Loop): Promise<void> {
  const overdue = [...loop.view.liveRunners()].filter(
    (runner): runner is ReservedRunner =>
      runner.state === 'reserved' &&
      loop.now > (runner.reservation?.expiresAt ?? runner.reservedAt + WARM_RESERVED_MAX_MS),
  )
  await forEachLimited(overdue, WRITES_AT_ONCE, (runner) =>
    loop.endUnlaunched(runner, 'reservation-expired', 'Its reservation ended before it was minted.'),
  )
}

async function chaseRunners(loop: Loop, memory: Memory): Promise<void> {
  const settle = new Map<HostId, LiveRunner[]>()
  const stop = new Map<HostId, LiveRunner[]>()
  const lost: LiveRunner[] = []
  for (const id of memory.askedAtMs.keys())
    if (loop.view.runner(id)?.state === 'gone') memory.askedAtMs.delete(id)
  for (const runner of loop.view.liveRunners()) {
    const host = loop.view.host(runner.host)
    if (host?.state !== 'online' || runner.state === 'reserved') continue
    if (runner.state === 'dispatched' && runner.epoch < host.epoch) lost.push(runner)
    else if (runner.stop !== null && isDue(loop, memory, runner.id)) push(stop, runner)
    else if (isSilent(loop, runner) && isDue(loop, memory, runner.id)) push(settle, runner)
  }
  await forEachLimited(lost, WRITES_AT_ONCE, (runner) => endIfMissed(loop, runner))
  await forEachLimited(settle, WRITES_AT_ONCE, ([id, runners]) =>
    order(loop, id, { type: 'settle', runners: runners.map((runner) => runner.id) }),
  )
  await forEachLimited(stop, WRITES_AT_ONCE, ([id, runners]) =>
    order(loop, id, {
      type: 'stop',
      runners: runners.map((runner) => ({ runner: runner.id, reason: runner.stop?.reason ?? 'canceled' })),
    }),
  )
}

function isSilent(loop: Loop, runner: LiveRunner): boolean {
  return runner.state === 'dispatched' && loop.now - runner.dispatchedAt > SILENT_AFTER_MS
}

function isDue(loop: Loop, memory: Memory, id: RunnerId): boolean {
  const nowMs = loop.hub.clock.monotonicMs()
  if (nowMs - (memory.askedAtMs.get(id) ?? -Infinity) < REPEAT_EVERY_MS) return false
  memory.askedAtMs.set(id, nowMs)
  return true
}

function push(map: Map<HostId, LiveRunner[]>, runner: LiveRunner): void {
  const there = map.get(runner.host)
  if (there === undefined) map.set(runner.host, [runner])
  else there.push(runner)
}

type Order =
  | { type: 'settle'; runners: readonly RunnerId[] }
  | {
      type: 'stop'
      runners: readonly { runner: RunnerId; reason: StopReason }[]
    }

async function order(loop: Loop, id: HostId, what: Order): Promise<void> {
  const host = loop.view.host(id)
  if (host === undefined || host.connection === null || !loop.lease.holds()) return
  const command = `${what.type}-${loop.lease.fence}-${loop.hub.clock.monotonicMs()}`
  try {
    const posted = await loop.hub.gateway.post(host.connection, {
      ...what,
      command,
      epoch: host.epoch,
      fence: loop.lease.fence,
    })
    if (posted === 'gone') await loop.connectionGone({ host: id, connection: host.connection })
  } catch (cause) {
    loop.hub.log.emit({ name: 'host.order-undelivered', host: id, order: what.type, cause })
  }
}

/**
 * The host's newer session listed all that it has, and this runner was not confirmed by it: it was dispatched under
 * an epoch that the agent refuses by now. Both facts are read afresh before it is ended.
 */
async function endIfMissed(loop: Loop, seen: LiveRunner): Promise<void> {
  const { store } = loop.hub
  const host = await store.getHost(seen.host)
  const runner = await store.getRunner(seen.host, seen.id)
  loop.advance(runner)
  if (host?.state !== 'online' || runner?.state !== 'dispatched' || runner.epoch >= host.epoch) return
  await loop.endUnlaunched(
    runner,
    'never-arrived',
    `Host ${seen.host} reconnected without having got this launch.`,
  )
}

async function freeOrphans(loop: Loop, memory: Memory): Promise<void> {
  const nowMs = loop.hub.clock.monotonicMs()
  const suspects = new Map<RunnerId, Host>()
  for (const host of loop.view.hosts) {
    for (const id of orphansOf(loop.view, host)) suspects.set(id, host)
  }
  for (const id of memory.orphanSinceMs.keys()) if (!suspects.has(id)) memory.orphanSinceMs.delete(id)
  for (const [id, host] of suspects) {
    const sinceMs = memory.orphanSinceMs.get(id) ?? nowMs
    memory.orphanSinceMs.set(id, sinceMs)
    if (nowMs - sinceMs >= ORPHAN_AFTER_MS && loop.lease.holds())
      loop.advance(await freeOrphan(loop.hub, host, id))
  }
}
