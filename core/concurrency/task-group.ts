/**
 * Runs tasks side by side. The first one that throws aborts the others, and `settled` throws what it threw: no
 * promise is left unawaited, and no failure is lost.
 */
export class TaskGroup {
  readonly #controller = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly thrown: unknown } | null = null

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  run(task: Promise<void>): void {
    const guarded = task
      .catch((thrown: unknown) => {
        this.#failure ??= { thrown }
        this.#controller.abort(thrown)
      })
      .finally(() => this.#running.delete(guarded))
    this.#running.add(guarded)
  }

  stop(): void {
    this.#controller.abort()
  }

  /** Resolves when every task has ended, those included that were added meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    if (this.#failure !== null) throw this.#failure.thrown
  }
}
