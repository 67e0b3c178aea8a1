import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { HUB_DIMENSION, METRIC_NAMESPACE, type MetricName } from '../adapters/cloudwatch/metric-names.ts'

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
      dimensionsMap: { [HUB_DIMENSION]: this.#hub },
      statistic,
      period,
    })
  }
}
