import type { EventTable, LogEventOf } from '../../core/model/index.ts'
import { type Fault, faultOf, type Metric } from './embedded-metrics.ts'
import type { MetricName } from './metric-names.ts'

/** CloudWatch accepts at most this many values of a metric in one line. */
const VALUES_MAX = 100

/** Counts since the last line that carried metrics. */
export interface Sums {
  launches: number
  calls: number
  queuedMs: number[]
  reservedMs: number[]
  readonly faults: Map<Fault, number>
}

export function noSums(): Sums {
  return { launches: 0, calls: 0, queuedMs: [], reservedMs: [], faults: new Map() }
}

/** `metrics`: those that the event's line carries; null = none. `takesSums`: the sums are sent with it, and then reset. */
export interface Measured {
  readonly metrics: readonly Metric[] | null
  readonly takesSums: boolean
}

const NOTHING: Measured = { metrics: null, takesSums: false }

const ignored = (): Measured => NOTHING

/** What each event means for the metrics. */
export const MEASURES: EventTable<Measured, Sums> = {
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
  'demand.waiting': ignored,
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
  'lease.released': sendSums,
  'lease.renewal-failed': ignored,
  'lease.taken': ignored,
  'lease.yield-asked': ignored,
  'loop.alive': measureLoop,
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
  'runner.reserved': ignored,
  'runner.running': countStart,
  'runner.started': ignored,
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
  'sweep.done': measureSweep,
  'templates.in-force': ignored,
  'templates.unreadable': ignored,
  'templates.warning': ignored,
  'tick.ended': ignored,
}

function countStart({ reservedMs, queuedMs }: LogEventOf<'runner.running'>, sums: Sums): Measured {
  sums.launches += 1
  sums.reservedMs.push(reservedMs)
  if (queuedMs !== undefined) sums.queuedMs.push(queuedMs)
  return NOTHING
}

function countEnd({ code }: LogEventOf<'runner.gone'>, { faults }: Sums): Measured {
  const fault = faultOf(code)
  if (fault !== null) faults.set(fault, (faults.get(fault) ?? 0) + 1)
  return NOTHING
}

function measureLoop(event: LogEventOf<'loop.alive'>, sums: Sums): Measured {
  const metrics = [count('LoopAlive', 1), ...workMetrics(event, sums), ...sumMetrics(sums)]
  return { metrics, takesSums: true }
}

function sendSums(_event: LogEventOf<'lease.released'>, sums: Sums): Measured {
  return { metrics: sumMetrics(sums), takesSums: true }
}

function measureSweep({ hostsOffline, violations }: LogEventOf<'sweep.done'>): Measured {
  const metrics = [...positive('HostsOffline', hostsOffline), ...positive('AuditViolations', violations)]
  return { metrics, takesSums: false }
}

/** Sent together, zeros included, while there is work. */
function workMetrics(event: LogEventOf<'loop.alive'>, { launches }: Sums): readonly Metric[] {
  const failing = positive('SourceFailures', event.sourcesFailing)
  if (!event.working && launches === 0) return failing
  return [
    count('Waiting', event.waiting),
    count('WaitingNoRoom', event.waitingNoRoom),
    count('WaitingNoTemplate', event.waitingNoTemplate),
    count('WaitingOther', event.waitingOther),
    ['OldestWaiting', 'Milliseconds', event.oldestWaitingMs ?? 0],
    count('RunnersRunning', event.running),
    count('HostsOnline', event.hostsOnline),
    ['LoopLag', 'Milliseconds', event.lagMs],
    count('Launches', launches),
    ...failing,
  ]
}

function sumMetrics({ launches, calls, queuedMs, reservedMs, faults }: Sums): readonly Metric[] {
  return [
    ...values('QueuedToRunning', queuedMs),
    ...values('ReservedToRunning', reservedMs),
    ...(launches > 0 ? [count('CallsPerLaunch', calls / launches)] : []),
    ...[...faults].map(([fault, ends]) => count(`Failures${fault}`, ends)),
  ]
}

function count(name: MetricName, value = 0): Metric {
  return [name, 'Count', value]
}

/** Sent only while above zero. */
function positive(name: MetricName, value: number): readonly Metric[] {
  return value > 0 ? [count(name, value)] : []
}

function values(name: MetricName, all: readonly number[]): readonly Metric[] {
  return all.length === 0 ? [] : [[name, 'Milliseconds', sampled(all)]]
}

/** Evenly spaced samples of the sorted values, as many as one line may have, so that percentiles stay correct. */
function sampled(all: readonly number[]): readonly number[] {
  if (all.length <= VALUES_MAX) return all
  const sorted = all.toSorted((left, right) => left - right)
  const step = (sorted.length - 1) / (VALUES_MAX - 1)
  return Array.from({ length: VALUES_MAX }, (_, index) => sorted[Math.round(index * step)] ?? 0)
}
