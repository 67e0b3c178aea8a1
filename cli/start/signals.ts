/** The stages of a run: serving, draining (claims no new jobs), stopped. If one part fails, the others are stopped. */
export class Signals {
  readonly #drain = new AbortController()
  readonly #stop = new AbortController()
  readonly drain: AbortSignal
  #failure: { readonly thrown: unknown } | null = null

  constructor(shutdown: AbortSignal) {
    this.drain = AbortSignal.any([shutdown, this.#drain.signal, this.#stop.signal])
  }

  get stop(): AbortSignal {
    return this.#stop.signal
  }

  startDraining(): void {
    this.#drain.abort()
  }

  stopNow(): void {
    this.#stop.abort()
  }

  /** Waits for a part. If it fails, the run is stopped, and `throwIfFailed` throws its error. */
  async guard(part: Promise<void>): Promise<void> {
    try {
      await part
    } catch (thrown) {
      this.#failure ??= { thrown }
      this.stopNow()
    }
  }

  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.thrown
  }
}
