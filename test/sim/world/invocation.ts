import { controlLoopHandler, type ControlLoopParts } from '../../../lambdas/control-loop/handler.ts'
import { type DemandSource, SourceError } from '../../../core/ports/index.ts'
import type { SimWorld } from './sim-world.ts'

/** The function's own limit, as its stack declares it. */
export const TIMEOUT_MS = 900_000

/** Something that an invocation did and that others can see. `fence`: under which it planned; null = none. */
export interface Effect {
  readonly atMs: number
  /** When the handler made the call; a pause may lie between that and its effect. */
  readonly sentAtMs: number
  readonly by: string
  readonly what: 'poll' | 'ask' | 'mint' | 'report' | 'post' | 'claim' | 'dispatch'
  readonly fence: number | null
}

/** One run of the real handler, which can be killed or paused between any two of its calls, and is watched. */
export class Invocation {
  readonly id: string
  readonly startedAtMs: number
  readonly effects: Effect[] = []
  /** Calls to the store that were answered. */
  storeCalls = 0
  /** All calls of it so far, and at which of them it is paused: before it takes effect, or after. */
  calls = 0
  pauseAt: { readonly call: number; readonly when: 'before' | 'after' } | null = null
  /** Calls made after the handler had returned: there must be none (L8). */
  readonly late: string[] = []
  fence: number | null = null
  end: 'running' | 'returned' | 'threw' = 'running'
  failure: unknown = null
  /** When it was paused, and until when. */
  readonly pauses: { readonly fromMs: number; toMs: number }[] = []
  readonly #world: SimWorld
  #held: Promise<void> | null = null
  #wake: () => void = () => {}

  constructor(world: SimWorld, id: string) {
    this.#world = world
    this.id = id
    this.startedAtMs = world.clock.monotonicMs()
  }

  /** From now on nothing of it runs and no call of it gets through, until `resume`. */
  pause(): void {
    if (this.#held !== null) return
    this.pauses.push({ fromMs: this.#world.clock.monotonicMs(), toMs: Infinity })
    this.#held = new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** As a pause that nothing ends. */
  kill(): void {
    this.pause()
  }

  resume(): void {
    const last = this.pauses.at(-1)
    if (last !== undefined && this.#held !== null) last.toMs = this.#world.clock.monotonicMs()
    this.#held = null
    this.#wake()
  }

  /** The adapters of this invocation; `parts` is what its container was built with. */
  parts(build: string, over: Partial<ControlLoopParts>): ControlLoopParts {
    const { random, sources } = this.#world
    const store = over.store ?? this.#world.store
    return {
      gateway: this.#watched(this.#world.gateway(), (name, _, args, sentAtMs) =>
        this.#note(name === 'post' && isOrder(args[1]) ? 'post' : null, sentAtMs),
      ),
      openSources: () => sources.map((source) => this.#source(source)),
      clock: this.#clock(),
      random,
      log: this.#log(),
      build,
      mode: 'auto',
      busyHours: null,
      ...over,
      store: this.#watched(store, (name, answer, _, sentAtMs) => this.#noteStore(name, answer, sentAtMs)),
    }
  }

  async run(parts: ControlLoopParts, event: unknown): Promise<void> {
    try {
      await controlLoopHandler(parts)(event, {
        awsRequestId: this.id,
        getRemainingTimeInMillis: () => TIMEOUT_MS - (this.#world.clock.monotonicMs() - this.startedAtMs),
      })
      this.end = 'returned'
    } catch (thrown) {
      this.end = 'threw'
      this.failure = thrown
    }
  }

  #source(source: DemandSource): DemandSource {
    return this.#watched(source, (name, _, args, sentAtMs) => {
      if (name === 'mint' || name === 'report') this.#note(name, sentAtMs)
      if (name === 'poll') this.#note(maxOf(args[0]) > 0 ? 'ask' : 'poll', sentAtMs)
    })
  }

  #noteStore(name: string, answer: unknown, sentAtMs: number): void {
    this.storeCalls += 1
    if (name === 'takeLease' && answer !== null) this.fence = Reflect.get(Object(answer), 'fence') as number
    if (name === 'claimSlots' && answer !== null) this.#note('claim', sentAtMs)
    if (name === 'dispatchRunner' && Reflect.get(Object(answer), 'moved') === true)
      this.#note('dispatch', sentAtMs)
  }

  #note(what: Effect['what'] | null, sentAtMs: number): void {
    if (what === null) return
    const { id: by, fence } = this
    this.effects.push({ atMs: this.#world.clock.monotonicMs(), sentAtMs, by, what, fence })
  }

  /** Time passes for a process that is paused, and it sees so only once it wakes. */
  #clock(): ControlLoopParts['clock'] {
    const { clock } = this.#world
    return {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal)
        if (this.#held !== null) await this.#held
      },
    }
  }

  /** A poll is noted as it leaves, everything else once it is done. */
  #watched<T extends object>(
    port: T,
    done: (name: string, answer: unknown, args: readonly unknown[], sentAtMs: number) => void,
  ): T {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target)
        if (typeof value !== 'function') return value
        const name = String(property)
        return async (...args: unknown[]): Promise<unknown> => {
          const sentAtMs = this.#world.clock.monotonicMs()
          this.calls += 1
          const pause = this.calls === this.pauseAt?.call ? this.pauseAt.when : null
          if (pause === 'before') this.pause()
          await this.#pass(name, args)
          if (name === 'poll') done(name, null, args, sentAtMs)
          const answer: unknown = await Reflect.apply(value, target, args)
          if (name !== 'poll') done(name, answer, args, sentAtMs)
          if (pause === 'after') this.pause()
          if (this.#held !== null) await this.#held
          return answer
        }
      },
    })
  }

  async #pass(name: string, args: readonly unknown[]): Promise<void> {
    if (this.end !== 'running') this.late.push(name)
    if (this.#held === null) return
    await this.#held
    // A process that wakes finds its timers due: the signal of a call that had a deadline is aborted by then.
    await this.#world.clock.sleep(1)
    if (args.some((arg) => arg instanceof AbortSignal && arg.aborted))
      throw new SourceError('unknown-outcome', 'The call was given up.')
  }

  #log(): ControlLoopParts['log'] {
    return {
      emit: (event) => {
        if (this.#held === null) this.#world.take({ ...event, by: this.id })
      },
    }
  }
}

/** What an agent acts on; acks, greetings and image lists change nothing. */
function isOrder(message: unknown): boolean {
  return ['launch', 'stop', 'settle'].includes(String(Reflect.get(Object(message), 'type')))
}

function maxOf(request: unknown): number {
  return Number(Reflect.get(Object(request), 'maxReservations'))
}
