import type { LogEntry } from '../../core/ports/index.ts'
import { embedded, type Fault, faultOf, isEndCode, type Metric } from './embedded-metrics.ts'

/** CloudWatch accepts at most this many values of a metric in one line. */
const VALUES_MAX = 100

interface Minute {
  launches: number
  calls: number
  queuedMs: number[]
  reservedMs: number[]
  readonly faults: Map<Fault, number>
}

function newMinute(): Minute {
  return { launches: 0, calls: 0, queuedMs: [], reservedMs: [], faults: new Map() }
}

/**
 * Adds metrics to log events. Counts are accumulated and sent with the next line that carries metrics. If a function is
 * killed, its accumulated counts are lost, but its log lines are not.
 */
export class Meter {
  readonly #hub: string
  readonly #facts: Readonly<Record<string, unknown>>
  #minute = newMinute()

  /** `facts`: fields that are added to every line with metrics. */
  constructor(hub: string, facts: Readonly<Record<string, unknown>> = {}) {
    this.#hub = hub
    this.#facts = facts
  }

  /** Counts a request to AWS and returns it. */
  counting<T>(request: T): T {
    this.#minute.calls += 1
    return request
  }

  /** The same entry, with metrics if its event carries any. */
  take(entry: LogEntry): LogEntry {
    switch (entry.event) {
      case 'runner.running':
        this.#started(entry.fields)
        return entry
      case 'runner.gone':
        this.#ended(entry.fields['code'])
        return entry
      case 'loop.alive':
        return this.#with(entry, [
          ['LoopAlive', 'Count', 1],
          ...this.#workMetrics(entry.fields),
          ...this.#sums(),
        ])
      case 'lease.released':
        return this.#with(entry, this.#sums())
      case 'sweep.done':
        return this.#with(entry, positive(entry.fields, SWEEP_GAUGES))
      default:
        return entry
    }
  }

  #started({ reservedMs, queuedMs }: LogEntry['fields']): void {
    this.#minute.launches += 1
    if (typeof reservedMs === 'number') this.#minute.reservedMs.push(reservedMs)
    if (typeof queuedMs === 'number') this.#minute.queuedMs.push(queuedMs)
  }

  #ended(code: unknown): void {
    const fault = isEndCode(code) ? faultOf(code) : null
    if (fault !== null) this.#minute.faults.set(fault, (this.#minute.faults.get(fault) ?? 0) + 1)
  }

  #workMetrics(fields: LogEntry['fields']): readonly Metric[] {
    const { launches } = this.#minute
    const failing = positive(fields, LOOP_GAUGES)
    if (fields['working'] !== true && launches === 0) return failing
    const metrics = WORK_GAUGES.map(([field, name, unit]): Metric => [name, unit, numberOf(fields[field])])
    return [...metrics, ['Launches', 'Count', launches], ...failing]
  }

  /** The accumulated metrics; resets them. */
  #sums(): readonly Metric[] {
    const { launches, calls, queuedMs, reservedMs, faults } = this.#minute
    this.#minute = newMinute()
    return [
      ...values('QueuedToRunning', queuedMs),
      ...values('ReservedToRunning', reservedMs),
      ...(launches > 0 ? [['CallsPerLaunch', 'Count', calls / launches] as const] : []),
      ...[...faults].map(([fault, count]): Metric => [`Failures${fault}`, 'Count', count]),
    ]
  }

  #with(entry: LogEntry, metrics: readonly Metric[]): LogEntry {
    const fields = { ...this.#facts, ...entry.fields }
    if (metrics.length === 0) return { ...entry, fields }
    return { ...entry, fields: { ...fields, ...embedded(this.#hub, entry.at, metrics) } }
  }
}

type Gauge = readonly [field: string, name: string, unit: 'Count' | 'Milliseconds']

/** Sent together, zeros included, while there is work. */
const WORK_GAUGES: readonly Gauge[] = [
  ['waiting', 'Waiting', 'Count'],
  ['waitingNoRoom', 'WaitingNoRoom', 'Count'],
  ['waitingNoTemplate', 'WaitingNoTemplate', 'Count'],
  ['waitingOther', 'WaitingOther', 'Count'],
  ['oldestWaitingMs', 'OldestWaiting', 'Milliseconds'],
  ['running', 'RunnersRunning', 'Count'],
  ['hostsOnline', 'HostsOnline', 'Count'],
  ['lagMs', 'LoopLag', 'Milliseconds'],
]
/** Sent only while above zero. */
const LOOP_GAUGES: readonly Gauge[] = [['sourcesFailing', 'SourceFailures', 'Count']]
const SWEEP_GAUGES: readonly Gauge[] = [
  ['hostsOffline', 'HostsOffline', 'Count'],
  ['violations', 'AuditViolations', 'Count'],
]

function positive(fields: LogEntry['fields'], gauges: readonly Gauge[]): readonly Metric[] {
  return gauges.flatMap(([field, name, unit]): readonly Metric[] => {
    const value = numberOf(fields[field])
    return value > 0 ? [[name, unit, value]] : []
  })
}

function values(name: string, all: readonly number[]): readonly Metric[] {
  return all.length === 0 ? [] : [[name, 'Milliseconds', sampled(all)]]
}

/** Evenly spaced samples of the sorted values, as many as one line may have, so that percentiles stay correct. */
function sampled(all: readonly number[]): readonly number[] {
  if (all.length <= VALUES_MAX) return all
  const sorted = all.toSorted((left, right) => left - right)
  const step = (sorted.length - 1) / (VALUES_MAX - 1)
  return Array.from({ length: VALUES_MAX }, (_, index) => sorted[Math.round(index * step)] ?? 0)
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
