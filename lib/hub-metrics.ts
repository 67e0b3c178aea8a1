import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'

const METRIC_NAMESPACE = 'Slipway'

/**
 * What the functions measure themselves (embedded metric format). Only LoopAlive is sent all the time; the others
 * while work lives, or when there is something to tell, because CloudWatch bills a metric by the hour.
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

/** The metrics of one hub, told from those of other stages by the name of its table. */
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
