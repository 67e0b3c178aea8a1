import { messageOf, SlipwayError, type RunnerId, type Secret } from '../core/model/index.ts'
import { splitBlackBox } from '../protocol/agent.ts'
import { Caretaker } from './runners/reconciler.ts'
import { hostCapacity } from './host/capacity.ts'
import { createDiskGuard, measureDisk } from './host/disk.ts'
import { obey, type Command, type CommandSession } from './hub/commands.ts'
import type { EngineEvent, EngineFacts, EngineRunner } from './engines/engine.ts'
import { Hub } from './hub/hub-client.ts'
import { Images } from './host/images.ts'
import { openJournal, type Journal } from './state/journal.ts'
import { Launcher } from './runners/launcher.ts'
import { isLive, type Entry } from './state/ledger.ts'
import { createLifetimes } from './runners/lifetimes.ts'
import { lockDataDir, type Lock } from '../platform/folder-lock.ts'
import type { AgentOptions, Retention } from './options.ts'
import { Outbox } from './hub/outbox.ts'
import { createReadiness } from './host/readiness.ts'
import { excessOf, forgettable, keepsContainer } from './runners/retention.ts'
import type { HelloFacts } from './hub/session.ts'
import { createStartRate } from './host/start-rate.ts'
import { createTasks } from './background-tasks.ts'
import { aborted } from '../core/concurrency/aborted.ts'
import { Watcher } from './host/engine-watcher.ts'

/** A first look at the engine, before the hub is dialed: a hello that knows its host needs no second one. */
const FIRST_LOOK_MAX_MS = 5_000
const LOCK_CHECK_EVERY_MS = 30_000
/** On the way out: launches and endings at work may get done, and the hub may hear of it. Below the 30 s that service managers give. */
const WORK_ENDS_MAX_MS = 10_000
const FLUSH_MAX_MS = 5_000
const PARTS_END_MAX_MS = 5_000
const POLL_MS = 50

/** Serves one host until the signal aborts; see `Agent.run`. */
export async function serve(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const lock = await lockDataDir(options.dataDir)
  try {
    const runtime = await Runtime.open(options)
    await runtime.run(lock, signal)
  } finally {
    await lock.release()
  }
}

/** The parts of one running agent, and who tells whom. */
class Runtime {
  readonly #options: AgentOptions
  readonly #journal: Journal
  readonly #outbox = new Outbox()
  readonly #startRate = createStartRate()
  readonly #readiness
  readonly #tasks
  readonly #images
  readonly #lifetimes
  readonly #launcher
  readonly #caretaker
  readonly #watcher
  readonly #disk
  readonly #hub
  /** What live runners were given in secret, for its removal from their black boxes. Memory only. */
  readonly #secrets = new Map<RunnerId, readonly Secret[]>()
  /** Runners that something happened to while they were being launched. */
  readonly #missed = new Set<RunnerId>()

  static async open(options: AgentOptions): Promise<Runtime> {
    const parts: { runtime?: Runtime } = {}
    const journal = await openJournal(options.dataDir, options.log, {
      // Nothing is written before the runtime stands.
      onChange: (entry) => parts.runtime?.noteChange(entry),
      onWritable: (problem) => parts.runtime?.noteJournal(problem),
    })
    parts.runtime = new Runtime(options, journal)
    return parts.runtime
  }

  private constructor(options: AgentOptions, journal: Journal) {
    const { engine, clock, random, log } = options
    this.#options = options
    this.#journal = journal
    this.#tasks = createTasks(log)
    this.#readiness = createReadiness([['engine', 'The engine has not been listed yet.']], () =>
      this.#hub.beat(),
    )
    const common = { engine, clock, random, log, journal, tasks: this.#tasks, readiness: this.#readiness }
    const onUnreachable = (): void => this.#watcher.poke()
    const isLaunching = (runner: RunnerId): boolean => this.#launcher.isLaunching(runner)
    const bootId = (): string => this.#watcher.facts?.bootId ?? ''
    this.#images = new Images({ ...common, onChange: (image) => this.#noteImage(image) })
    this.#lifetimes = createLifetimes({ clock, onExpired: (runner) => this.#endExpired(runner) })
    this.#launcher = new Launcher({
      ...common,
      images: this.#images,
      startRate: this.#startRate,
      bootId,
      onKnown: (runner) => this.#report(runner),
      onAccepted: (order) => this.#secrets.set(order.runner, Object.values(order.secretEnv)),
      onRunning: (seen) => this.#lifetimes.begin(seen),
      onLeft: (runner, running) => this.#takeOver(runner, running),
      onUnreachable,
    })
    this.#caretaker = new Caretaker({
      ...common,
      bootId,
      isLaunching,
      keeps: (entry) => keepsContainer(entry, this.#retention),
      secretsOf: (runner) => this.#secrets.get(runner) ?? [],
      onBlackBox: (runner, text) => this.#sendBlackBox(runner, text),
      onRunning: (seen) => this.#lifetimes.adopt(seen),
      onUnreachable,
    })
    this.#watcher = new Watcher({
      ...common,
      onList: async (listed) => this.#noteList(listed),
      onEvent: (event) => this.#noteEvent(event),
      onReachable: (problem) => this.#readiness.set('engine', problem),
    })
    this.#disk = createDiskGuard({
      clock,
      log,
      folder: () => this.#watcher.facts?.storage ?? null,
      measure: options.measureDisk ?? measureDisk,
      onChange: (problem) => this.#noteDisk(problem),
    })
    this.#hub = new Hub({
      ...common,
      ...options,
      url: options.hubUrl,
      images: this.#images,
      outbox: this.#outbox,
      startsPerMinute: () => this.#startRate.perMinute(),
      freshList: async (stop) => this.#watcher.freshList(stop),
      helloFacts: () => this.#helloFacts(),
      obey: async (command, session) => this.#obey(command, session),
    })
    for (const entry of journal.ledger.entries.values()) {
      if (entry.settledAt === null) this.#outbox.addRunner(entry.runner, entry.version)
    }
  }

  async run(lock: Lock, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const ending = new AbortController()
    const parts = [
      this.#watcher.run(ending.signal),
      this.#disk.run(ending.signal),
      this.#images.run(ending.signal),
      this.#lifetimes.run(ending.signal),
      this.#serveHub(ending.signal),
      this.#guardLock(lock, ending.signal),
    ]
    try {
      // A part that ends before it was told to has failed, and its error is ours.
      await Promise.race([aborted(signal), ...parts])
      await this.#drain()
    } finally {
      ending.abort()
      // An engine call that hangs has a deadline of its own, which nobody waits for here.
      const ended = Promise.all([Promise.allSettled(parts), this.#tasks.idle()])
      const patience = new AbortController()
      await Promise.race([ended, clock.sleep(PARTS_END_MAX_MS, patience.signal)])
      patience.abort()
      await this.#journal.close()
    }
  }

  async #serveHub(signal: AbortSignal): Promise<void> {
    const looked = new AbortController()
    const patience = this.#options.clock.sleep(FIRST_LOOK_MAX_MS, AbortSignal.any([signal, looked.signal]))
    await Promise.race([this.#watcher.freshList(AbortSignal.any([signal, looked.signal])), patience])
    looked.abort()
    await this.#hub.run(signal)
  }

  async #guardLock(lock: Lock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOCK_CHECK_EVERY_MS, signal)
      if (signal.aborted || (await lock.held())) continue
      throw new SlipwayError(
        'agent-locked',
        `Another agent took the data folder ${this.#options.dataDir} over, so this one stops. Run only one.`,
      )
    }
  }

  /** Running jobs are left be; what is being started or ended gets there, and the hub hears what there is to hear. */
  async #drain(): Promise<void> {
    const { log } = this.#options
    log.emit({ name: 'agent.stopping' })
    this.#readiness.set('stopping', 'The agent is being stopped.')
    await this.#until(() => !this.#launcher.busy && !this.#caretaker.busy, WORK_ENDS_MAX_MS)
    this.#hub.wake()
    await this.#until(() => !this.#hub.connected || this.#outbox.empty, FLUSH_MAX_MS)
  }

  async #until(reached: () => boolean, maxMs: number): Promise<void> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + maxMs
    while (!reached() && clock.monotonicMs() < deadlineMs) await clock.sleep(POLL_MS)
  }

  /* ── who tells whom ────────────────────────────────────────────────────────────────────────────────── */

  noteChange(entry: Entry): void {
    if (entry.phase !== 'running') this.#lifetimes.untrack(entry.runner)
    if (!isLive(entry) && entry.cleared) this.#secrets.delete(entry.runner)
    if (entry.settledAt === null) this.#report(entry.runner)
  }

  noteJournal(problem: string | null): void {
    this.#readiness.set('journal', problem)
  }

  #noteDisk(problem: string | null): void {
    this.#readiness.set('disk', problem)
    // Kept containers go first: see `#retention`.
    if (problem !== null) this.#watcher.poke()
  }

  /** A full disk has no room for what is kept for a look. */
  get #retention(): Retention {
    return this.#disk.isShort ? { ms: 0, max: 0 } : this.#options.retention
  }

  #report(runner: RunnerId): void {
    const entry = this.#journal.ledger.entries.get(runner)
    if (entry !== undefined) this.#outbox.addRunner(runner, entry.version)
    this.#hub.wake()
  }

  #noteImage(image: string): void {
    if (!this.#images.isWanted(image)) return
    this.#outbox.addImage(image)
    this.#hub.wake()
  }

  async #noteList(listed: readonly EngineRunner[]): Promise<void> {
    const { clock } = this.#options
    await this.#disk.check()
    // Where nothing may start, nothing is written, and nobody would notice that it can be again.
    if (this.#readiness.hinderedBy('journal')) await this.#journal.probe()
    // First: a snapshot that says "complete" has to know them.
    await this.#caretaker.adoptUnknown(listed)
    this.#caretaker.attendAll(listed)
    const { entries } = this.#journal.ledger
    for (const runner of excessOf(listed, entries, this.#retention, clock.now()))
      this.#caretaker.discardKept(runner)
    this.#journal.forget(forgettable(entries, listed, clock.now()))
    this.#hub.refreshFacts()
  }

  #noteEvent({ runner, kind }: EngineEvent): void {
    const running = this.#journal.ledger.entries.get(runner)?.phase === 'running'
    // A process of a runner may be ended for memory and its container run on.
    if (kind === 'oom' || (kind === 'started' && (running || this.#launcher.isLaunching(runner)))) return
    if (this.#launcher.isLaunching(runner)) this.#missed.add(runner)
    else this.#caretaker.attend(runner)
  }

  #takeOver(runner: RunnerId, running: boolean): void {
    const stopping = this.#journal.ledger.entries.get(runner)?.stopping ?? null
    if (this.#missed.delete(runner) || !running || stopping !== null) this.#caretaker.attend(runner)
  }

  #endExpired(runner: RunnerId): void {
    this.#caretaker.end(runner, { code: 'max-lifetime', reason: 'It reached its maximum lifetime.' })
  }

  #sendBlackBox(runner: RunnerId, text: string): void {
    const texts = splitBlackBox(text)
    this.#outbox.addBlackBox(
      texts.map((part, index) => ({ runner, part: index + 1, parts: texts.length, text: part })),
    )
    this.#hub.wake()
  }

  async #obey(command: Command, session: CommandSession): Promise<void> {
    try {
      await obey(command, session, {
        ...this.#options,
        journal: this.#journal,
        launch: (order) => this.#launcher.launch(order),
        isLaunching: (runner) => this.#launcher.isLaunching(runner),
        end: (runner, stopping) => this.#caretaker.end(runner, stopping),
        attend: (runner) => this.#caretaker.attend(runner),
        report: (runner) => this.#report(runner),
        want: (id, images) => this.#images.want(id, images),
      })
    } catch (error) {
      // The hub repeats what it hears nothing of.
      this.#options.log.emit({ name: 'agent.command-failed', type: command.type, reason: messageOf(error) })
    }
  }

  #helloFacts(): HelloFacts {
    const { agentVersion, install, caps } = this.#options
    const facts: EngineFacts | null = this.#watcher.facts
    const { kind, version, bootId } = facts ?? { kind: 'unknown', version: 'unknown', bootId: 'unknown' }
    return { agentVersion, install, engine: { kind, version, bootId }, capacity: hostCapacity(facts, caps) }
  }
}
