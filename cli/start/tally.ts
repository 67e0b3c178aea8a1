import type { Job } from '../../sandbox/index.ts'
import type { LogEntry } from '../../adapters/log/index.ts'

/** What one run of `npm start` came to; printed as one JSON line. */
export interface Summary {
  readonly jobs: number
  readonly finished: number
  readonly failed: number
  readonly lost: number
  readonly containersStarted: number
  readonly containersLeft: number
  readonly queuedToRunningMs: { readonly p50: number; readonly p95: number; readonly max: number } | null
}

/** Counts what happens in one run, from its log events. */
export class Tally {
  /** The engine's own start times, by runner. */
  readonly #startedAt = new Map<string, number>()
  readonly #outcomes = new Map<string, string>()
  readonly #live = new Set<string>()
  readonly #waiting = new Map<string, number>()

  take({ event, fields }: LogEntry): void {
    const runner = String(fields['runner'])
    if (event === 'runner.started') this.#startedAt.set(runner, Number(fields['startedAt']))
    if (event === 'runner.reserved') this.#live.add(runner)
    if (event === 'demand.waiting') this.#waiting.set(String(fields['source']), Number(fields['jobs']))
    if (event === 'runner.gone') {
      this.#live.delete(runner)
      this.#outcomes.set(runner, String(fields['outcome']))
    }
  }

  /** Jobs wait at a source, or runners live. */
  get isBusy(): boolean {
    return this.#live.size > 0 || [...this.#waiting.values()].some((jobs) => jobs > 0)
  }

  get startedContainers(): number {
    return this.#startedAt.size
  }

  /** With a source of our own, jobs are what counts; otherwise runners stand for them. */
  summary(jobs: readonly Job[] | null, containersLeft: number): Summary {
    const states = jobs === null ? [...this.#outcomes.values()] : jobs.map(outcomeOf)
    const count = (outcome: string): number => states.filter((state) => state === outcome).length
    return {
      jobs: states.length,
      finished: count('finished'),
      failed: count('failed'),
      lost: count('lost'),
      containersStarted: this.startedContainers,
      containersLeft,
      queuedToRunningMs: jobs === null ? null : percentiles(this.#waits(jobs)),
    }
  }

  #waits(jobs: readonly Job[]): readonly number[] {
    return jobs.flatMap((job) => {
      const startedAt = this.#startedAt.get(runnerOf(job) ?? '')
      return startedAt === undefined ? [] : [Math.max(0, startedAt - job.queuedAt)]
    })
  }
}

/** A finished job that can't show its nonce did not run its command: that is a failure. */
function outcomeOf(job: Job): string {
  if (job.state === 'finished') return job.nonceSeen ? 'finished' : 'failed'
  return job.state === 'cancelled' ? 'failed' : job.state
}

function runnerOf(job: Job): string | undefined {
  if (job.state === 'queued') return undefined
  return job.state === 'cancelled' ? job.claim?.runnerId : job.runnerId
}

function percentiles(values: readonly number[]): Summary['queuedToRunningMs'] {
  if (values.length === 0) return null
  const sorted = values.toSorted((left, right) => left - right)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p95: at(0.95), max: at(1) }
}
