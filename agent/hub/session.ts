import {
  messageOf,
  SlipwayError,
  unreachable,
  type AgentMessage,
  type Epoch,
  type GoodbyeCode,
  type HubMessage,
} from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import { splitSnapshot } from '../../protocol/agent.ts'
import type { Command, HandleCommand } from './commands.ts'
import type { Images } from '../host/images.ts'
import type { Journal } from '../state/journal.ts'
import { isLive } from '../state/ledger.ts'
import type { Payload, Outbox } from './outbox.ts'
import { pendingMessages, type Numbers } from './pending.ts'
import type { EngineWatcher } from '../host/engine-watcher.ts'
import { isRateChange, type StartRate } from '../host/start-rate.ts'
import type { Readiness } from '../host/readiness.ts'
import { snapshotOf } from './sightings.ts'
import type { Tasks } from '../background-tasks.ts'
import { Notify } from '../../core/concurrency/notify.ts'

const WELCOME_MAX_MS = 15_000
/** After this long without an ack, the connection counts as broken. The hub's slowest handler takes a few seconds. */
const ACK_MAX_MS = 15_000
/** Changes within about this time are sent in one message. */
const BATCH_MS = 20
const CHECK_EVERY_MS = 1_000

export type SessionEnd =
  | { readonly kind: 'closed'; readonly reason: string }
  | {
      readonly kind: 'goodbye'
      readonly code: GoodbyeCode
      readonly message: string
      readonly retry: boolean
    }
  /** This agent starts a new session at once. */
  | { readonly kind: 'renew'; readonly reason: string }

export interface SessionDeps {
  readonly journal: Journal
  readonly outbox: Outbox
  readonly images: Images
  readonly readiness: Readiness
  readonly startRate: StartRate
  readonly watcher: EngineWatcher
  readonly handleCommand: HandleCommand
  readonly tasks: Tasks
  readonly clock: Clock
  readonly log: Log
}

type Acceptance = 'accepting' | 'notAcceptingReason' | 'fence'
export type HelloFacts = Omit<Extract<AgentMessage, { type: 'hello' }>, 'type' | Acceptance>
type Welcome = Extract<HubMessage, { type: 'welcome' }>

/** One session with the hub: hello, welcome, snapshot, and then reports, heartbeats and commands. */
export class Session {
  readonly #send: (message: AgentMessage) => void
  readonly #deps: SessionDeps
  readonly #over = new AbortController()
  readonly #welcomed = new Notify()
  readonly #acked = new Notify()
  readonly #reports = new Notify()
  readonly #heartbeatNeeded = new Notify()
  readonly #heartbeatAcked = new Notify()
  #end: SessionEnd = { kind: 'closed', reason: 'the agent stopped' }
  #welcome: Welcome | null = null
  /** Set when the last part of the snapshot is sent: no later launch can be older than the snapshot. */
  #snapshotSent = false
  #open = false
  #busy = false
  #reportedRate: number | null = null

  constructor(send: (message: AgentMessage) => void, deps: SessionDeps) {
    this.#send = send
    this.#deps = deps
  }

  /** The snapshot is acknowledged: reports flow. */
  get open(): boolean {
    return this.#open && !this.#over.signal.aborted
  }

  /** Resolves when the session is over, with the reason. */
  async run(facts: HelloFacts): Promise<SessionEnd> {
    const { journal, readiness, outbox } = this.#deps
    const { accepting, notAcceptingReason } = readiness
    this.#send({ type: 'hello', ...facts, accepting, notAcceptingReason, fence: journal.ledger.fence })
    await this.#welcomed.wait(this.#deps.clock, WELCOME_MAX_MS, this.#over.signal)
    if (this.#welcome === null) {
      this.close({ kind: 'closed', reason: `no welcome within ${WELCOME_MAX_MS} ms` })
      return this.#end
    }
    outbox.begin()
    this.#noteEpoch(this.#welcome.epoch)
    await Promise.all([this.#watchAcks(), this.#sendHeartbeats(this.#welcome), this.#sendEverything()])
    return this.#end
  }

  /** Not awaited: a host whose disk is full must still be able to report that. */
  #noteEpoch(epoch: Epoch): void {
    const { journal, tasks } = this.#deps
    tasks.start('note-epoch', async () => void (await journal.write({ record: 'session', epoch })))
  }

  close(end: SessionEnd): void {
    if (this.#over.signal.aborted) return
    this.#end = end
    this.#over.abort()
  }

  /** There is something new to send. */
  wake(): void {
    this.#reports.notify()
    if ((this.#isBusy() && !this.#busy) || isRateChange(this.#reportedRate, this.#deps.startRate.perMinute()))
      this.sendHeartbeat()
  }

  /** Whether this host takes runners has changed: the hub hears it at once. */
  sendHeartbeat(): void {
    this.#heartbeatNeeded.notify()
  }

  /* ── from the hub ─────────────────────────────────────────────────────────────────────────────── */

  receive(message: HubMessage): void {
    // A command that arrives after the end of its session could be missing from the next session's snapshot.
    if (this.#over.signal.aborted) return
    switch (message.type) {
      case 'welcome':
        this.#welcome ??= message
        return this.#welcomed.notify()
      case 'goodbye':
        return this.close({ ...message, kind: 'goodbye' })
      case 'ack':
        return message.epoch === this.#welcome?.epoch ? this.#takeAck(message.seq) : undefined
      case 'launch':
        if (this.#snapshotSent) return this.#handle(message)
        // The hub has not seen the snapshot yet, and could declare this launch lost.
        return this.#deps.log.emit({ name: 'agent.launch-too-early', command: message.command })
      case 'stop':
      case 'settle':
      case 'prefetch':
        return this.#handle(message)
      default:
        return unreachable(message)
    }
  }

  #handle(command: Command): void {
    const epoch = this.#welcome?.epoch
    if (epoch === undefined) return
    const isOver = (): boolean => this.#over.signal.aborted
    this.#deps.tasks.start('command', async () => this.#deps.handleCommand(command, { epoch, isOver }))
  }

  /** An ack confirms only its own message: the hub may handle messages out of order. */
  #takeAck(seq: number): void {
    const payload = this.#deps.outbox.ack(seq)
    if (payload?.kind === 'runners') this.#noteSettled(payload.versions)
    if (payload?.kind === 'heartbeat') this.#heartbeatAcked.notify()
    this.#acked.notify()
    this.#reports.notify()
  }

  #noteSettled(versions: Extract<Payload, { kind: 'runners' }>['versions']): void {
    const { journal, tasks, clock } = this.#deps
    for (const [runner, version] of versions) {
      const entry = journal.ledger.entries.get(runner)
      if (entry === undefined || isLive(entry) || !entry.cleared || entry.version !== version) continue
      if (entry.settledAt !== null) continue
      const at = clock.now()
      tasks.start('note-settled', async () => void (await journal.write({ record: 'settled', runner, at })))
    }
  }

  /* ── to the hub ───────────────────────────────────────────────────────────────────────────── */

  async #sendEverything(): Promise<void> {
    const { log } = this.#deps
    await this.#deps.watcher.freshList(this.#over.signal)
    await this.#sendSnapshot()
    if (this.#over.signal.aborted) return
    this.#open = true
    log.emit({ name: 'agent.connected', epoch: this.#welcome?.epoch })
    for (const image of this.#deps.images.wanted) this.#deps.outbox.addImage(image)
    this.sendHeartbeat()
    while (!this.#over.signal.aborted) {
      this.#sendPending()
      await this.#reports.wait(this.#deps.clock, CHECK_EVERY_MS, this.#over.signal)
      await this.#deps.clock.sleep(BATCH_MS, this.#over.signal)
    }
  }

  /** Sends the snapshot part by part, each after the ack of the previous one. */
  async #sendSnapshot(): Promise<void> {
    const { journal, clock, outbox } = this.#deps
    await this.#recordsAreApplied()
    if (this.#over.signal.aborted) return
    const content = snapshotOf(journal.ledger.entries.values(), clock.now())
    for (const { entries, complete } of splitSnapshot(content.entries, content.complete)) {
      const versions = new Map(entries.map(({ runner }) => [runner, content.versions.get(runner) ?? 0]))
      if (complete !== null) this.#snapshotSent = true
      const seq = this.#post({ kind: 'runners', versions }, (numbers) => ({
        type: 'snapshot',
        ...numbers,
        entries,
        complete,
      }))
      while (!this.#over.signal.aborted && outbox.isInFlight(seq)) {
        await this.#acked.wait(this.#deps.clock, CHECK_EVERY_MS, this.#over.signal)
      }
      if (this.#over.signal.aborted) return
    }
  }

  /** Launches of the previous session may still be on their way into the journal: the snapshot must contain them. */
  async #recordsAreApplied(): Promise<void> {
    const { journal, log } = this.#deps
    try {
      await journal.write({ record: 'fence', fence: journal.ledger.fence })
    } catch (error) {
      // Then earlier records have failed or are applied too.
      log.emit({ name: 'journal.unwritable', reason: messageOf(error) })
    }
  }

  #sendPending(): void {
    const { outbox, journal, images, clock } = this.#deps
    for (const { payload, write } of pendingMessages(outbox, journal.ledger, images, clock.now())) {
      if (!outbox.hasRoom) return
      this.#post(payload, write)
    }
  }

  async #sendHeartbeats({ heartbeatIdleMs, heartbeatBusyMs }: Welcome): Promise<void> {
    const { readiness } = this.#deps
    while (!this.#over.signal.aborted) {
      await this.#heartbeatNeeded.wait(
        this.#deps.clock,
        this.#busy ? heartbeatBusyMs : heartbeatIdleMs,
        this.#over.signal,
      )
      if (this.#over.signal.aborted) return
      this.#busy = this.#isBusy()
      const { accepting, notAcceptingReason } = readiness
      const startsPerMinute = this.#deps.startRate.perMinute()
      this.#reportedRate = startsPerMinute
      const nextInMs = this.#busy ? heartbeatBusyMs : heartbeatIdleMs
      const heartbeat = {
        type: 'heartbeat',
        accepting,
        notAcceptingReason,
        startsPerMinute,
        nextInMs,
      } as const
      const seq = this.#post({ kind: 'heartbeat' }, (numbers) => ({ ...heartbeat, ...numbers }))
      await this.#untilHeard(seq)
    }
  }

  /** Messages may be handled out of order (W7): of two heartbeats under way, the older one could be stored last. */
  async #untilHeard(seq: number): Promise<void> {
    while (this.#deps.outbox.isInFlight(seq) && !this.#over.signal.aborted)
      await this.#heartbeatAcked.wait(this.#deps.clock, ACK_MAX_MS, this.#over.signal)
  }

  /** Missing acks reveal half-open connections and hubs that do not answer. */
  async #watchAcks(): Promise<void> {
    const { clock, outbox } = this.#deps
    while (!this.#over.signal.aborted) {
      await clock.sleep(CHECK_EVERY_MS, this.#over.signal)
      const overdue = outbox.inFlight.find(({ sentAtMs }) => clock.monotonicMs() - sentAtMs > ACK_MAX_MS)
      if (overdue !== undefined) {
        this.close({ kind: 'closed', reason: `no ack of message ${overdue.seq} within ${ACK_MAX_MS} ms` })
      }
    }
  }

  /** Numbers a message, sends it, and keeps its payload until the ack. */
  #post(payload: Payload, write: (numbers: Numbers) => AgentMessage): number {
    const { outbox, clock } = this.#deps
    if (this.#welcome === null)
      throw new SlipwayError('unreachable', 'A message was numbered before the welcome.')
    const seq = outbox.send(payload, clock.monotonicMs())
    this.#send(write({ epoch: this.#welcome.epoch, seq }))
    return seq
  }

  #isBusy(): boolean {
    return [...this.#deps.journal.ledger.entries.values()].some(isLive)
  }
}
