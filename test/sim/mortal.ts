/** One life of a hub: its calls to the outside are counted, and it can stop at any of them. */
export class Life {
  calls = 0
  readonly #stopAt: number
  readonly #when: 'before' | 'after'
  #wake: (() => void) | null = null
  #held: Promise<void> | null = null

  /** Stops at the `stopAt`-th call: before it has any effect, or after it had, with its answer lost. */
  constructor(stopAt = Infinity, when: 'before' | 'after' = 'before') {
    this.#stopAt = stopAt
    this.#when = when
  }

  get stopped(): boolean {
    return this.#held !== null
  }

  /** A hub that was merely paused goes on where it stood. */
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
    this.calls += 1
    if (this.calls === this.#stopAt && this.#when === 'after') {
      const answer = await work()
      await this.#hold()
      return answer
    }
    if (this.calls >= this.#stopAt) await this.#hold()
    return work()
  }

  #hold(): Promise<void> {
    this.#held ??= new Promise((resolve) => {
      this.#wake = resolve
    })
    return this.#held
  }
}
