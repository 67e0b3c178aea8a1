/** What counts the calls of one life, or of several that share it. */
interface Counter {
  calls: number
}

/** One life of a process: its calls to the outside are counted, and it can stop at any of them. */
export class Life {
  readonly #stopAt: number
  readonly #when: 'before' | 'after'
  readonly #counter: Counter
  #isLast = false
  #wake: (() => void) | null = null
  #held: Promise<void> | null = null
  #tell: () => void = () => {}
  /** Resolves when it has stopped. */
  readonly over: Promise<void>

  /** Stops at the `stopAt`-th call: before it has any effect, or after it had, with its answer lost. */
  constructor(stopAt = Infinity, when: 'before' | 'after' = 'before', counter: Counter = { calls: 0 }) {
    this.#stopAt = stopAt
    this.#when = when
    this.#counter = counter
    this.over = new Promise((resolve) => {
      this.#tell = resolve
    })
  }

  get calls(): number {
    return this.#counter.calls
  }

  get stopped(): boolean {
    return this.#held !== null
  }

  /** A process that was merely paused goes on where it stood. */
  resume(): void {
    this.#wake?.()
  }

  /** Wraps a port so that each of its calls may be the last. */
  limit<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown =>
          this.#call(() => Reflect.apply(value, target, args) as unknown)
      },
    })
  }

  async #call(work: () => unknown): Promise<unknown> {
    this.#counter.calls += 1
    if (this.#counter.calls === this.#stopAt) {
      this.#isLast = true
      if (this.#when === 'after') {
        const answer = await work()
        await this.#hold()
        return answer
      }
    }
    if (this.#isLast) await this.#hold()
    return work()
  }

  #hold(): Promise<void> {
    this.#held ??= new Promise((resolve) => {
      this.#wake = resolve
    })
    this.#tell()
    return this.#held
  }
}

/** Many short lives, as those of functions that run once per message: one of them stops at the `stopAt`-th call of all. */
export class Lives {
  readonly counter: Counter = { calls: 0 }
  readonly #stopAt: number
  readonly #when: 'before' | 'after'
  readonly #all: Life[] = []

  constructor(stopAt = Infinity, when: 'before' | 'after' = 'before') {
    this.#stopAt = stopAt
    this.#when = when
  }

  get calls(): number {
    return this.counter.calls
  }

  /** The one that stopped. */
  get stopped(): Life | undefined {
    return this.#all.find((life) => life.stopped)
  }

  one(): Life {
    const life = new Life(this.#stopAt, this.#when, this.counter)
    this.#all.push(life)
    return life
  }
}
