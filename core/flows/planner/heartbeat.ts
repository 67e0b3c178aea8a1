import type { LoopFacts, RefusalReason } from '../../model/index.ts'
import { ungranted } from '../../plan/index.ts'
import { countHosts } from './count-hosts.ts'
import type { Loop } from './planner.ts'

/** Who watches over the loop counts minutes. */
const EVERY_MS = 60_000
/** Passes take seconds; a loop whose last one is older than this is not alive, whatever else still runs. */
const STUCK_AFTER_MS = 45_000

/** Says once a minute that the loop works, and what it sees: for metrics, and for whoever reads the log. */
export async function tellAlive(loop: Loop, signal: AbortSignal): Promise<void> {
  const { clock, log } = loop.hub
  while (!signal.aborted && loop.lease.holds()) {
    const facts = loopFacts(loop)
    if (facts.lagMs < STUCK_AFTER_MS) log.emit({ name: 'loop.alive', ...facts })
    else log.emit({ name: 'loop.stuck', ...facts })
    await clock.sleep(EVERY_MS, signal)
  }
}

function loopFacts(loop: Loop): LoopFacts {
  const nowMs = loop.hub.clock.monotonicMs()
  return {
    working: loop.workLeft || loop.msSinceWork < EVERY_MS,
    ...countHosts([...loop.view.hosts]),
    running: [...loop.view.liveRunners()].filter(({ state }) => state === 'running').length,
    ...waitingFacts(loop),
    lagMs: Math.round(nowMs - loop.lookedAtMs),
    sourcesFailing: loop.desks.filter((desk) => (desk.stateAt(nowMs)?.kind ?? 'ok') !== 'ok').length,
  }
}

function waitingFacts(loop: Loop) {
  const sets = loop.desks.flatMap((desk) => desk.waiting).filter((jobs) => ungranted(jobs) > 0)
  const waiting = sets.reduce((sum, jobs) => sum + ungranted(jobs), 0)
  const refusals = loop.desks.flatMap((desk) => desk.refusals)
  const refused = (codes: ReadonlySet<RefusalReason['code']>): number =>
    refusals.reduce((sum, { reason, count }) => sum + (codes.has(reason.code) ? count : 0), 0)
  const [waitingNoRoom, waitingNoTemplate] = [refused(NO_ROOM), refused(NO_TEMPLATE)]
  const oldest = Math.min(...sets.map((jobs) => jobs.oldestQueuedAt ?? Infinity))
  return {
    waiting,
    waitingNoRoom,
    waitingNoTemplate,
    waitingOther: Math.max(0, waiting - waitingNoRoom - waitingNoTemplate),
    oldestWaitingMs: Number.isFinite(oldest) ? Math.max(0, loop.now - oldest) : 0,
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
