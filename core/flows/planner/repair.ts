import type {
  EpochMs,
  Host,
  HostId,
  LiveRunner,
  ReservedRunner,
  RunnerId,
  StopReason,
} from '../../model/index.ts'
import type { Clock, HostStore } from '../../ports/index.ts'
import { connectionGone, type ConnectionGoneParts } from './connection-gone.ts'
import { endUnlaunched, type EndUnlaunchedParts } from './end-unlaunched.ts'
import { freeOrphan, type FreeOrphanParts, orphansOf } from './orphaned-slots.ts'
import type { Planner } from './planner.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

const REPAIR_EVERY_MS = 2_000
/** On a fast host a launched runner runs by then; after that, the agent is asked about it. */
const SILENT_AFTER_MS = 15_000
/** Orders are repeated until they take effect: messages may get lost. */
const REPEAT_EVERY_MS = 10_000
/** A warm runner has no reservation that could expire: it should have its token by then. */
const WARM_RESERVED_MAX_MS = 5 * 60_000
/** The runners of a claim are stored right after it; a slot without a runner for this long is orphaned. */
const ORPHAN_AFTER_MS = 30_000

/** For each runner: when its agent was last asked, and since when its slot has looked orphaned. */
interface Memory {
  readonly askedAtMs: Map<RunnerId, number>
  readonly orphanSinceMs: Map<RunnerId, number>
}

type Parts = EndUnlaunchedParts &
  ConnectionGoneParts &
  FreeOrphanParts &
  Pick<Planner, 'gateway' | 'fleet' | 'runners'> & { readonly store: Pick<HostStore, 'getHost'> }

/** Repeats lost orders and repairs what a crash left, until the signal aborts. */
export async function repair(parts: Parts, signal: AbortSignal): Promise<void> {
  const { clock, lease } = parts
  const memory: Memory = { askedAtMs: new Map(), orphanSinceMs: new Map() }
  while (!signal.aborted && lease.holds()) {
    await endOverdue(parts)
    await chaseRunners(parts, memory)
    await freeOrphans(parts, memory)
    await clock.sleep(REPAIR_EVERY_MS, signal)
  }
}

/** Ends runners that got no token in time, because their source is unavailable: they must not block capacity. */
async function endOverdue(parts: Parts): Promise<void> {
  const now = parts.clock.now()
  const overdue = [...parts.fleet.liveRunners()].filter(
    (runner): runner is ReservedRunner =>
      runner.state === 'reserved' &&
      now > (runner.reservation?.expiresAt ?? runner.reservedAt + WARM_RESERVED_MAX_MS),
  )
  await forEachLimited(overdue, WRITES_AT_ONCE, (runner) =>
    endUnlaunched(parts, runner, 'reservation-expired', 'Its reservation ended before it was minted.'),
  )
}

async function chaseRunners(parts: Parts, memory: Memory): Promise<void> {
  const { query, stop, lost } = sortRunners(parts, memory)
  await forEachLimited(lost, WRITES_AT_ONCE, (runner) => endIfMissed(parts, runner))
  await forEachLimited(query, WRITES_AT_ONCE, ([id, runners]) =>
    order(parts, id, { type: 'settle', runners: runners.map((runner) => runner.id) }),
  )
  await forEachLimited(stop, WRITES_AT_ONCE, ([id, runners]) =>
    order(parts, id, {
      type: 'stop',
      runners: runners.map((runner) => ({ runner: runner.id, reason: runner.stop?.reason ?? 'canceled' })),
    }),
  )
}

interface Chased {
  /** Runners whose agent is asked about them, by host. */
  readonly query: Map<HostId, LiveRunner[]>
  /** Runners whose stop order is repeated, by host. */
  readonly stop: Map<HostId, LiveRunner[]>
  /** Runners that were dispatched under an older session. */
  readonly lost: LiveRunner[]
}

function sortRunners({ clock, fleet }: Parts, { askedAtMs }: Memory): Chased {
  const chased: Chased = { query: new Map(), stop: new Map(), lost: [] }
  const now = clock.now()
  for (const id of askedAtMs.keys()) if (fleet.runner(id)?.state === 'gone') askedAtMs.delete(id)
  for (const runner of fleet.liveRunners()) {
    const host = fleet.host(runner.host)
    if (host?.state !== 'online' || runner.state === 'reserved') continue
    if (runner.state === 'dispatched' && runner.epoch < host.epoch) chased.lost.push(runner)
    else if (runner.stop !== null && isDue(clock, askedAtMs, runner.id)) push(chased.stop, runner)
    else if (isSilent(runner, now) && isDue(clock, askedAtMs, runner.id)) push(chased.query, runner)
  }
  return chased
}

function isSilent(runner: LiveRunner, now: EpochMs): boolean {
  return runner.state === 'dispatched' && now - runner.dispatchedAt > SILENT_AFTER_MS
}

function isDue(clock: Pick<Clock, 'monotonicMs'>, askedAtMs: Map<RunnerId, number>, id: RunnerId): boolean {
  const nowMs = clock.monotonicMs()
  if (nowMs - (askedAtMs.get(id) ?? -Infinity) < REPEAT_EVERY_MS) return false
  askedAtMs.set(id, nowMs)
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

async function order(parts: Parts, id: HostId, what: Order): Promise<void> {
  const { clock, log, gateway, lease } = parts
  const host = parts.fleet.host(id)
  if (host === undefined || host.connection === null || !lease.holds()) return
  const command = `${what.type}-${lease.fence}-${clock.monotonicMs()}`
  try {
    const posted = await gateway.post(host.connection, {
      ...what,
      command,
      epoch: host.epoch,
      fence: lease.fence,
    })
    if (posted === 'gone') await connectionGone(parts, { host: id, connection: host.connection })
  } catch (cause) {
    log.emit({ name: 'host.order-undelivered', host: id, order: what.type, cause })
  }
}

/**
 * The host's newer session listed all that it has, and this runner was not confirmed by it: it was dispatched under
 * an epoch that the agent refuses by now. Both are read again before the runner is ended.
 */
async function endIfMissed(parts: Parts, seen: LiveRunner): Promise<void> {
  const { store, runners } = parts
  const host = await store.getHost(seen.host)
  const runner = await store.getRunner(seen.host, seen.id)
  runners.advance(runner)
  if (host?.state !== 'online' || runner?.state !== 'dispatched' || runner.epoch >= host.epoch) return
  const reason = `Host ${seen.host} reconnected and had not received the launch.`
  await endUnlaunched(parts, runner, 'never-arrived', reason)
}

async function freeOrphans(parts: Parts, { orphanSinceMs }: Memory): Promise<void> {
  const { fleet, lease, runners } = parts
  const nowMs = parts.clock.monotonicMs()
  const suspects = new Map<RunnerId, Host>()
  for (const host of fleet.hosts) for (const id of orphansOf(fleet, host)) suspects.set(id, host)
  for (const id of orphanSinceMs.keys()) if (!suspects.has(id)) orphanSinceMs.delete(id)
  for (const [id, host] of suspects) {
    const sinceMs = orphanSinceMs.get(id) ?? nowMs
    orphanSinceMs.set(id, sinceMs)
    if (nowMs - sinceMs >= ORPHAN_AFTER_MS && lease.holds())
      runners.advance(await freeOrphan(parts, host, id))
  }
}
