import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'

const METRIC_NAMESPACE = 'Slipway'

/**
 * Metrics that the functions send (embedded metric format). Only LoopAlive is sent all the time; the others are sent
 * while there is work or when they are not zero, because CloudWatch bills a metric by the hour.
 */
export const METRIC_NAMES = [
  'LoopAlive',
  'LoopLag',
  'Waiting',
  'WaitingNoRoom',
  'WaitingNoTemplate',
  'WaitingOther',
  'OldestWaiting',
  'QueuedToRunning',
  'ReservedToRunning',
  'RunnersRunning',
  'Launches',
  'CallsPerLaunch',
  'FailuresHost',
  'FailuresImage',
  'FailuresSource',
  'FailuresJob',
  'HostsOnline',
  'HostsOffline',
  'SourceFailures',
  'AuditViolations',
] as const
export type MetricName = (typeof METRIC_NAMES)[number]

/** The metrics of one hub. The dimension `Hub`, the name of its table, separates them from other stages. */
export class HubMetrics {
  readonly #hub: string

  constructor(hub: string) {
    this.#hub = hub
  }

  get(name: MetricName, statistic: string, period = Duration.minutes(1)): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName: name,
      dimensionsMap: { Hub: this.#hub },
      statistic,
      period,
    })
  }
}
