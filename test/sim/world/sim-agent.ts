import {
  type AgentConnection,
  type AgentMessage,
  connectionId,
  type ConnectionId,
  type Epoch,
  type Fence,
  fence as asFence,
  type HostCapacity,
  type HostId,
  type HubMessage,
  type LaunchOrder,
  type ReportedEnd,
  type RunnerId,
  type RunnerSighting,
  type Sighting,
  type SnapshotEntry,
} from '../../../core/model/index.ts'
import type { SimClock } from './sim-clock.ts'
import { FINISHED, NEVER_ARRIVED, NOT_STARTED, type SimContainer, STOPPED } from './sim-container.ts'
import type { SimSource } from './sim-source.ts'

/** Sees what an agent does, at the moment it does it. */
interface AgentChecker {
  obeys(agent: SimAgent, message: Extract<HubMessage, { type: 'launch' | 'settle' | 'stop' }>): void
  starts(agent: SimAgent, order: LaunchOrder): void
  stops(agent: SimAgent, runner: RunnerId): void
}

const START_MS = 100
const CLEAR_MS = 50
const BEAT_MS = 60_000

/** The other side of the hub: a host that starts containers, whose runners register and run one job each. */
export class SimAgent {
  readonly host: HostId
  readonly containers = new Map<RunnerId, SimContainer>()
  /** Every container ever started: twice for one runner or one token is what must never happen. */
  readonly started: { runner: RunnerId; token: string }[] = []
  readonly refused = new Set<RunnerId>()
  /** What it no longer knows of, and how that had ended by then; null: it had not. */
  readonly lost = new Map<RunnerId, ReportedEnd | null>()
  online = false
  connection: ConnectionId | null = null
  failStarts = false
  /** Runners that found no job. */
  readonly idle: RunnerId[] = []
  /** As the real agent: what is not acknowledged by then makes it connect anew, and reports wait for the snapshot's ack. */
  ackWithinMs: number | null = null
  /** Messages from the hub that pass this are heard. */
  hears: (message: HubMessage) => boolean = () => true
  #epoch: Epoch | null = null
  #fence: Fence = asFence(0)
  #seq = 0
  #serial = 0
  readonly #clock: SimClock
  readonly #sources: readonly SimSource[]
  readonly capacity: HostCapacity
  readonly #checker: AgentChecker | null
  /** Sent and not acknowledged, by number; the hello is number 0. */
  readonly #unacked = new Set<number>()
  #snapshotSeq = 0
  #unsaid = new Set<RunnerId>()
  readonly #send: (from: AgentConnection, message: AgentMessage) => void
  readonly #beatMs: () => number

  constructor(parts: {
    host: HostId
    clock: SimClock
    sources: readonly SimSource[]
    capacity: HostCapacity
    send: (from: AgentConnection, message: AgentMessage) => void
    /** The time between two heartbeats, from the first on. */
    beatMs?: () => number
    checker?: AgentChecker
  }) {
    this.host = parts.host
    this.#clock = parts.clock
    this.#sources = parts.sources
    this.capacity = parts.capacity
    this.#checker = parts.checker ?? null
    this.#send = parts.send
    this.#beatMs = parts.beatMs ?? (() => BEAT_MS)
  }

  connect(): ConnectionId {
    this.connection = connectionId(`${this.host}-${this.#serial++}`)
    this.online = false
    this.#epoch = null
    this.#unacked.clear()
    this.#tell({
      type: 'hello',
      agentVersion: 'sim',
      install: `install-${this.host}`,
      engine: { kind: 'sim', version: '1', bootId: 'boot' },
      capacity: this.capacity,
      accepting: true,
      notAcceptingReason: null,
      fence: this.#fence,
    })
    void this.#beat(this.connection, BEAT_MS)
    return this.connection
  }

  async #beat(connection: ConnectionId, inMs: number): Promise<void> {
    await this.#clock.sleep(inMs)
    if (this.connection !== connection) return
    const nextInMs = this.#beatMs()
    if (this.online)
      this.#tell({
        type: 'heartbeat',
        ...this.#stamp(),
        accepting: true,
        notAcceptingReason: null,
        startsPerMinute: null,
        nextInMs,
      })
    await this.#beat(connection, nextInMs)
  }

  /** What holds this host's room now. */
  get holding(): readonly SimContainer[] {
    return [...this.containers.values()].filter((one) => one.phase !== 'refused' && !one.cleared)
  }

  receive(connection: ConnectionId, message: HubMessage): void {
    if (connection !== this.connection || !this.hears(message)) return
    if (message.type === 'welcome') {
      this.#epoch = message.epoch
      this.#seq = 0
      this.#unacked.delete(0)
      this.#sendSnapshot()
    } else if (message.type === 'ack' && message.epoch === this.#epoch) {
      this.#unacked.delete(message.seq)
      if (message.seq === this.#snapshotSeq) this.#goOnline()
    } else if (message.type === 'prefetch') {
      const images = message.images.map(({ image }) => ({ image, status: { state: 'present' as const } }))
      this.#tell({ type: 'images', ...this.#stamp(), images })
    } else if (message.type === 'launch' && this.#obeys(message)) {
      for (const order of message.launches) void this.#launch(order)
    } else if (message.type === 'settle' && this.#obeys(message)) {
      for (const runner of message.runners) this.#settle(runner)
    } else if (message.type === 'stop' && this.#obeys(message)) {
      for (const { runner } of message.runners) this.#stop(runner)
    }
  }

  #obeys(message: Extract<HubMessage, { type: 'launch' | 'settle' | 'stop' }>): boolean {
    if (message.epoch !== this.#epoch || message.fence < this.#fence) return false
    this.#fence = message.fence
    this.#checker?.obeys(this, message)
    return true
  }

  async #launch(order: LaunchOrder): Promise<void> {
    const { runner } = order
    if (this.containers.has(runner) || this.refused.has(runner)) return
    const container: SimContainer = { order, phase: 'accepted', startedAtMs: null, end: null, cleared: false }
    this.containers.set(runner, container)
    await this.#clock.sleep(START_MS)
    if (container.phase !== 'accepted') return
    if (this.failStarts) {
      container.end = NOT_STARTED
      container.phase = 'exited'
      container.cleared = true
      return this.#report(runner)
    }
    const token = order.secretEnv['TOKEN']?.reveal() ?? ''
    this.#checker?.starts(this, order)
    this.started.push({ runner, token })
    container.phase = 'running'
    container.startedAtMs = this.#clock.monotonicMs()
    this.#report(runner)
    await this.#runJob(container, token)
  }

  async #runJob(container: SimContainer, token: string): Promise<void> {
    const source = this.#sources.find((one) => one.register(token))
    await this.#clock.sleep(20)
    const job = source?.claim(container.order.origin.labels) ?? null
    if (job === null) this.idle.push(container.order.runner)
    await this.#clock.sleep(job?.runMs ?? 1_000)
    if (job !== null) job.state = 'done'
    if (container.phase === 'running') await this.#exit(container, FINISHED)
  }

  async #exit(container: SimContainer, end: ReportedEnd): Promise<void> {
    container.phase = 'exited'
    container.end = end
    this.#report(container.order.runner)
    await this.#clock.sleep(CLEAR_MS)
    container.cleared = true
    this.#report(container.order.runner)
  }

  #settle(runner: RunnerId): void {
    if (!this.containers.has(runner)) this.#refuse(runner, 'never-arrived')
    this.#report(runner)
  }

  #stop(runner: RunnerId): void {
    this.#checker?.stops(this, runner)
    const container = this.containers.get(runner)
    if (container === undefined) this.#refuse(runner, 'stopped')
    else if (container.phase === 'accepted') {
      container.phase = 'exited'
      container.end = STOPPED
      container.cleared = true
      this.#report(runner)
    } else if (container.phase === 'running') void this.#exit(container, STOPPED)
  }

  #refuse(runner: RunnerId, code: 'never-arrived' | 'stopped'): void {
    this.refused.add(runner)
    if (code === 'stopped') this.#report(runner)
  }

  #sighting(runner: RunnerId): RunnerSighting {
    const container = this.containers.get(runner)
    if (container === undefined)
      return { runner, sighting: { phase: 'refused', end: NEVER_ARRIVED }, cleared: true }
    return { runner, sighting: this.#phase(container), cleared: container.cleared }
  }

  #phase(container: SimContainer): Sighting {
    const agoMs = Math.round(this.#clock.monotonicMs() - (container.startedAtMs ?? this.#clock.monotonicMs()))
    if (container.phase === 'running') return { phase: 'running', agoMs }
    if (container.end !== null)
      return {
        phase: 'exited',
        agoMs: 0,
        startedAgoMs: container.startedAtMs === null ? null : agoMs,
        end: container.end,
      }
    return { phase: 'accepted' }
  }

  #report(runner: RunnerId): void {
    if (this.online) this.#tell({ type: 'report', ...this.#stamp(), runners: [this.#sighting(runner)] })
    else this.#unsaid.add(runner)
  }

  /** Its containers are gone, and what it knew of them: a machine that was set up anew under its old name. */
  lose(): void {
    for (const [runner, container] of this.containers) {
      container.phase = 'exited'
      this.lost.set(runner, container.end)
    }
    this.containers.clear()
  }

  #sendSnapshot(): void {
    const entries = [...this.containers.values()].map(
      ({ order: { runner, origin } }): SnapshotEntry => ({
        ...this.#sighting(runner),
        origin,
      }),
    )
    const stamp = this.#stamp()
    this.#snapshotSeq = stamp.seq
    this.#unsaid = new Set()
    this.#tell({ type: 'snapshot', ...stamp, entries, complete: entries.map((entry) => entry.runner) })
    if (this.ackWithinMs === null) this.online = true
  }

  /** What has changed since its snapshot was taken, it says now. */
  #goOnline(): void {
    if (this.online) return
    this.online = true
    const unsaid = this.#unsaid
    this.#unsaid = new Set()
    for (const runner of unsaid) this.#report(runner)
  }

  #stamp(): { epoch: Epoch; seq: number } {
    if (this.#epoch === null) throw new Error('There is no session yet.')
    this.#seq += 1
    return { epoch: this.#epoch, seq: this.#seq }
  }

  #tell(message: AgentMessage): void {
    if (this.connection === null) return
    if (this.ackWithinMs !== null)
      void this.#expectAck(this.connection, message.type === 'hello' ? 0 : message.seq, this.ackWithinMs)
    this.#send({ host: this.host, connection: this.connection }, message)
  }

  async #expectAck(connection: ConnectionId, seq: number, withinMs: number): Promise<void> {
    this.#unacked.add(seq)
    await this.#clock.sleep(withinMs)
    if (this.connection === connection && this.#unacked.has(seq)) this.connect()
  }
}
