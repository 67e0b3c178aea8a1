import {
  type EventTable,
  handleEvent,
  type LogEventOf,
  type Outcome,
  type RunnerId,
  type SourceId,
} from '../../core/model/index.ts'
import type { LogEntry } from '../../core/ports/index.ts'
import type { Job } from '../../sandbox/index.ts'

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

/** What the events of one run add up to. */
interface Counts {
  /** The engine's own start times. */
  readonly startedAt: Map<RunnerId, number>
  readonly outcomes: Map<RunnerId, Outcome>
  readonly live: Set<RunnerId>
  /** Waiting jobs. */
  readonly waiting: Map<SourceId, number>
}

const ignored = (): void => {}

/** What each event means for the summary. */
const COUNTED: EventTable<void, Counts> = {
  'agent.command-failed': ignored,
  'agent.command-refused': ignored,
  'agent.connected': ignored,
  'agent.disconnected': ignored,
  'agent.hub-unencrypted': ignored,
  'agent.launch-accepted': ignored,
  'agent.launch-too-early': ignored,
  'agent.message-refused': ignored,
  'agent.message-unreadable': ignored,
  'agent.preparing': ignored,
  'agent.refused': ignored,
  'agent.starting': ignored,
  'agent.stopping': ignored,
  'agent.task-failed': ignored,
  'agent.token-refused': ignored,
  'api.refused': ignored,
  'audit.host-added': ignored,
  'audit.host-removed': ignored,
  'audit.templates-stored': ignored,
  'audit.violation': ignored,
  'demand.granted': ignored,
  'demand.refused': ignored,
  'demand.unplaced': ignored,
  'demand.waiting': countWaiting,
  'engine.container-stuck': ignored,
  'engine.container-unreadable': ignored,
  'engine.events-broken': ignored,
  'engine.runner-unreadable': ignored,
  'engine.unreachable': ignored,
  'gateway.connect-failed': ignored,
  'gateway.handler-failed': ignored,
  'gateway.socket-error': ignored,
  'host.backing-off': ignored,
  'host.connected': ignored,
  'host.connection-not-closed': ignored,
  'host.dead': ignored,
  'host.disk-roomy': ignored,
  'host.disk-short': ignored,
  'host.message-undelivered': ignored,
  'host.offline': ignored,
  'host.online': ignored,
  'host.order-undelivered': ignored,
  'host.second-install-refused': ignored,
  'host.silent': ignored,
  'hub.draining': ignored,
  'hub.leaving': ignored,
  'hub.listening': ignored,
  'hub.loop-ended': ignored,
  'hub.loop-failed': ignored,
  'hub.sweep-failed': ignored,
  'image.failed': ignored,
  'image.present': ignored,
  'image.pulling': ignored,
  'journal.compaction-failed': ignored,
  'journal.line-unreadable': ignored,
  'journal.torn-tail-cut': ignored,
  'journal.unwritable': ignored,
  'launch.delivery-unknown': ignored,
  'lease.lost': ignored,
  'lease.released': ignored,
  'lease.renewal-failed': ignored,
  'lease.taken': ignored,
  'lease.yield-asked': ignored,
  'loop.alive': ignored,
  'loop.stuck': ignored,
  'runner.absent': ignored,
  'runner.care-failed': ignored,
  'runner.cleared': ignored,
  'runner.dispatched': ignored,
  'runner.exited': ignored,
  'runner.gone': countEnd,
  'runner.host-removed': ignored,
  'runner.kept-container-removed': ignored,
  'runner.left': ignored,
  'runner.rebuilt': ignored,
  'runner.refused': ignored,
  'runner.reserved': countReserved,
  'runner.running': ignored,
  'runner.started': countStart,
  'runner.stop-ordered': ignored,
  'runner.unknown': ignored,
  'runner.unsettled': ignored,
  'settings.warning': ignored,
  'slot.orphan-freed': ignored,
  'source.absent-ended': ignored,
  'source.authenticated': ignored,
  'source.back': ignored,
  'source.cancel.ignored': ignored,
  'source.mint-backing-off': ignored,
  'source.mint-failed': ignored,
  'source.mint.lost': ignored,
  'source.mint.narrowed': ignored,
  'source.poll-failed': ignored,
  'source.reconcile-failed': ignored,
  'source.report-failed': ignored,
  'source.report.unsendable': ignored,
  'source.reservation.dead-on-arrival': ignored,
  'source.unauthorized': ignored,
  'start.progress': ignored,
  'store.item-unreadable': ignored,
  'sweep.done': ignored,
  'templates.in-force': ignored,
  'templates.unreadable': ignored,
  'templates.warning': ignored,
  'tick.ended': ignored,
}

function countStart({ runner, startedAt }: LogEventOf<'runner.started'>, counts: Counts): void {
  counts.startedAt.set(runner, startedAt)
}

function countReserved({ runner }: LogEventOf<'runner.reserved'>, { live }: Counts): void {
  live.add(runner)
}

function countWaiting({ source, jobs }: LogEventOf<'demand.waiting'>, { waiting }: Counts): void {
  waiting.set(source, jobs)
}

function countEnd({ runner, outcome }: LogEventOf<'runner.gone'>, { live, outcomes }: Counts): void {
  live.delete(runner)
  outcomes.set(runner, outcome)
}

/** Counts what happens in one run, from its events. */
export class RunSummary {
  readonly #counts: Counts = {
    startedAt: new Map(),
    outcomes: new Map(),
    live: new Set(),
    waiting: new Map(),
  }

  take({ event }: LogEntry): void {
    handleEvent(COUNTED, event, this.#counts)
  }

  /** Jobs wait at a source, or runners live. */
  get isBusy(): boolean {
    const { live, waiting } = this.#counts
    return live.size > 0 || [...waiting.values()].some((jobs) => jobs > 0)
  }

  /** With a source of our own, the summary counts its jobs; otherwise it counts runners. */
  summary(jobs: readonly Job[] | null, containersLeft: number): Summary {
    const states = jobs === null ? [...this.#counts.outcomes.values()] : jobs.map(outcomeOf)
    const count = (outcome: Outcome): number => states.filter((state) => state === outcome).length
    return {
      jobs: states.length,
      finished: count('finished'),
      failed: count('failed'),
      lost: count('lost'),
      containersStarted: this.#counts.startedAt.size,
      containersLeft,
      queuedToRunningMs: jobs === null ? null : percentiles(this.#waits(jobs)),
    }
  }

  #waits(jobs: readonly Job[]): readonly number[] {
    const startedAt = new Map<string, number>(this.#counts.startedAt)
    return jobs.flatMap((job) => {
      const started = startedAt.get(runnerOf(job) ?? '')
      return started === undefined ? [] : [Math.max(0, started - job.queuedAt)]
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
