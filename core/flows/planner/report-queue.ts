import type { EpochMs, RunnerId, RunnerReport } from '../../model/index.ts'

/** The newest unreported state of each runner of one source, and the ends that the source has not received yet. */
export class ReportQueue {
  readonly #reports = new Map<RunnerId, RunnerReport>()
  /** By the time of the end. */
  readonly #pendingEnds = new Map<RunnerId, EpochMs>()

  get hasPendingEnds(): boolean {
    return this.#pendingEnds.size > 0
  }

  /** Replaces an older report of the same runner. `endedAt` null: the runner has not ended. */
  enqueue(report: RunnerReport, endedAt: EpochMs | null): void {
    this.#reports.set(report.id, report)
    if (endedAt !== null) this.#pendingEnds.set(report.id, endedAt)
  }

  /** All queued reports. They stay queued until `settle`. */
  batch(): readonly RunnerReport[] {
    return [...this.#reports.values()]
  }

  /** The source has received this batch. A report that was replaced meanwhile stays queued. */
  settle(batch: readonly RunnerReport[]): void {
    for (const report of batch) {
      if (this.#reports.get(report.id) !== report) continue
      this.#reports.delete(report.id)
      this.#pendingEnds.delete(report.id)
    }
  }

  /** Every end up to this time has reached the source. */
  reportedUpTo(now: EpochMs): EpochMs {
    return Math.min(now, ...this.#pendingEnds.values())
  }
}
