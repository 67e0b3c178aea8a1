import type {
  AgentConnection,
  DispatchedRunner,
  EndCode,
  EpochMs,
  GoneRunner,
  Host,
  LeaseNotes,
  ReservedRunner,
  Runner,
  RunnerId,
  SourceId,
} from '../../model/index.ts'
import {
  type Hold,
  isHostFault,
  nextBackoff,
  provesHost,
  reportOf,
  type SourceDemand,
  type World,
} from '../../plan/index.ts'
import { endAgentSession } from '../agent/agent-session.ts'
import type { Advance, FleetView } from './fleet-cache.ts'
import type { Hub } from '../hub-ports.ts'
import type { LeaseGuard } from './lease-guard.ts'
import { runnerEvent } from './runner-event.ts'
import type { SourceDesk } from './source-state.ts'
import { Notify } from '../../concurrency/notify.ts'
import { type TaskGroup } from '../../concurrency/task-group.ts'

/** For a planner whose time is bounded: when it must hand over, and when it may go because nothing is to do. */
export interface Turn {
  /** By the monotonic clock. */
  readonly handOverAtMs: number
  /** Asked only while nothing lives and nothing waits. */
  readonly staysInQuiet: (lastWorkAt: EpochMs, now: EpochMs) => boolean
}

/** One run of the control loop: what its tasks share. */
export class Loop {
  readonly hub: Hub
  readonly lease: LeaseGuard
  readonly desks: readonly SourceDesk[]
  readonly view: FleetView
  /** Effects that nobody waits for, but whose failure must end the run. */
  readonly tasks: TaskGroup
  /** Claims under way: taken from the room of every other plan. */
  readonly claiming = new Set<Hold>()
  readonly changes = new Notify()
  readonly startedAt: EpochMs
  readonly turn: Turn | null
  /** Set: no new poll and no new mint; what is under way is brought to its end. */
  isLeaving = false
  /** When the fleet was last looked at, by the monotonic clock. */
  lookedAtMs: number
  /** Since when the oldest job of the label set waited for which a runner was reserved. */
  readonly queuedAt = new Map<RunnerId, EpochMs>()
  #lastWorkAtMs: number

  /** `lastWorkAt`: as the last holder noted it. */
  constructor(parts: {
    hub: Hub
    lease: LeaseGuard
    desks: readonly SourceDesk[]
    view: FleetView
    tasks: TaskGroup
    turn: Turn | null
    lastWorkAt: EpochMs
  }) {
    this.hub = parts.hub
    this.lease = parts.lease
    this.desks = parts.desks
    this.view = parts.view
    this.tasks = parts.tasks
    this.turn = parts.turn
    this.startedAt = parts.hub.clock.now()
    this.lookedAtMs = parts.hub.clock.monotonicMs()
    this.#lastWorkAtMs = this.lookedAtMs - Math.max(0, this.startedAt - parts.lastWorkAt)
  }

  get now(): EpochMs {
    return this.hub.clock.now()
  }

  get msSinceWork(): number {
    return this.hub.clock.monotonicMs() - this.#lastWorkAtMs
  }

  get lastWorkAt(): EpochMs {
    return this.now - this.msSinceWork
  }

  /** Somebody has to look after something: a runner, a job that waits, or an end that its source has not heard of. */
  get workLeft(): boolean {
    if (this.view.liveRunnerCount > 0 || this.claiming.size > 0) return true
    return this.desks.some((desk) => desk.waiting.length > 0 || desk.unreportedEnds.size > 0)
  }

  /** Time until this planner must have handed over. */
  get msToHandOver(): number {
    return this.turn === null ? Infinity : this.turn.handOverAtMs - this.hub.clock.monotonicMs()
  }

  /** Nothing is to do, and the time of day asks for no more than one look. */
  get mayLeave(): boolean {
    if (this.turn === null || this.workLeft) return false
    return !this.turn.staysInQuiet(this.lastWorkAt, this.now)
  }

  sawWork(): void {
    this.#lastWorkAtMs = this.hub.clock.monotonicMs()
  }

  world(): World {
    return this.view.world(this.now, this.hub.templates(), [...this.claiming])
  }

  desk(source: SourceId): SourceDesk | undefined {
    return this.desks.find((desk) => desk.id === source)
  }

  /** What the others want and hold. One that can't be polled now wants nothing: it would keep room from the rest. */
  othersOf(desk: SourceDesk): readonly SourceDemand[] {
    return this.desks
      .filter((other) => other !== desk && other.isServed)
      .map((other) => ({ ...other.demand(), live: this.view.liveOf(other.id) }))
  }

  demandOf(desk: SourceDesk): SourceDemand {
    return { ...desk.demand(), live: this.view.liveOf(desk.id) }
  }

  /** Room promised to polls of other sources, as a plan for `desk` must see it. */
  holdsBeside(desk: SourceDesk): readonly Hold[] {
    return this.desks.filter((other) => other !== desk).flatMap((other) => other.holds)
  }

  /** Takes in a runner's newest state, and does what follows from its moving on. */
  advance(runner: Runner | null): void {
    if (runner === null) return
    const moved = this.view.applyRunner(runner)
    if (moved !== null) this.follow(moved)
  }

  follow({ before, after }: Advance): void {
    if (before === null && after.state === 'gone') return
    this.sawWork()
    this.report(after)
    this.hub.log.emit(runnerEvent(after, this.queuedAt.get(after.id) ?? null))
    if (after.state !== 'reserved' && after.state !== 'dispatched') this.queuedAt.delete(after.id)
    if (after.state === 'gone') this.#learnFromEnd(after)
  }

  /** Puts the runner's state on its source's desk, to be told with the next batch. */
  report(runner: Runner): void {
    const desk = this.desk(runner.source)
    const report = reportOf(runner, this.now)
    if (desk === undefined || report === null) return
    desk.reports.set(runner.id, report)
    if (runner.state === 'gone') desk.unreportedEnds.set(runner.id, runner.goneAt)
  }

  /**
   * Ends a runner that has not reached its agent, and frees its slot: in that order. Only as it was seen: a runner that
   * a successor has taken further is the successor's.
   */
  async endUnlaunched(
    runner: ReservedRunner | DispatchedRunner,
    code: EndCode,
    reason: string,
  ): Promise<void> {
    if (!this.lease.holds()) return
    const { store } = this.hub
    const { host, id } = runner
    const ending = { outcome: 'failed', code, reason, exitCode: null } as const
    const { moved, runner: after } = await store.endRunner({
      host,
      id,
      ending,
      only: [runner.state],
      now: this.now,
    })
    this.advance(after)
    if (moved) await store.freeSlot({ host, runner: id, now: this.now })
    this.changes.notify()
  }

  /** W4: the host takes nothing until it connects again, which nobody else may have noticed. */
  async connectionGone(connection: AgentConnection): Promise<void> {
    if (!this.lease.holds()) return
    await endAgentSession(this.hub, connection)
    const host = await this.hub.store.getHost(connection.host)
    if (host !== null) this.view.applyHost(host)
  }

  /** Room may have come free: sources whose known jobs found none are asked at once. */
  roomChanged(): void {
    for (const desk of this.desks) if (desk.starved) desk.pollNeeded.notify()
  }

  notes(): LeaseNotes {
    // An end that came after the last look may be unknown here: nothing is said of it.
    const lookedAt = Math.floor(this.now - (this.hub.clock.monotonicMs() - this.lookedAtMs))
    return {
      mintWindows: Object.fromEntries(
        this.desks.flatMap((desk) => (desk.mintWindow === undefined ? [] : [[desk.id, desk.mintWindow]])),
      ),
      reportedUpTo: Object.fromEntries(this.desks.map((desk) => [desk.id, desk.reportedUpTo(lookedAt)])),
      lastWorkAt: Math.floor(this.lastWorkAt),
      workLeft: this.workLeft,
    }
  }

  /** A host that fails pauses for the template; one that ran a runner for a while has proved itself again. */
  #learnFromEnd(runner: GoneRunner): void {
    const host = this.view.host(runner.host)
    const before = host?.backoffs.get(runner.template)
    if (host === undefined) return
    if (before !== undefined && provesHost(runner)) this.#setBackoff(host, runner, null)
    if (!isHostFault(runner)) return
    const backoff = nextBackoff(before, this.now, this.hub.random.unit())
    if (backoff === before) return
    this.hub.log.emit({ name: 'host.backing-off', host: host.id, template: runner.template, ...backoff })
    this.#setBackoff(host, runner, backoff)
  }

  #setBackoff(host: Host, { template }: Runner, backoff: ReturnType<typeof nextBackoff> | null): void {
    this.tasks.run(this.hub.store.setBackoff({ host: host.id, template, backoff, now: this.now }))
  }
}
