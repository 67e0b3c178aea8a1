import type { EndCode } from '../../core/model/index.ts'
import { HUB_DIMENSION, METRIC_NAMESPACE, type MetricName } from './metric-names.ts'

/*
 * Metrics in CloudWatch's embedded metric format: fields of log lines. Each metric costs money for every hour in which
 * it is sent, so an idle fleet sends only one. Templates, hosts and runners are never dimensions.
 */

export type Unit = 'Count' | 'Milliseconds'
export type Metric = readonly [name: MetricName, unit: Unit, value: number | readonly number[]]

/** The fields that add metrics to a log line. `at`: epoch ms. */
export function embedded(
  hub: string,
  at: number,
  metrics: readonly Metric[],
): Readonly<Record<string, unknown>> {
  return {
    _aws: {
      Timestamp: at,
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [[HUB_DIMENSION]],
          Metrics: metrics.map(([Name, Unit]) => ({ Name, Unit })),
        },
      ],
    },
    [HUB_DIMENSION]: hub,
    ...Object.fromEntries(metrics.map(([name, , value]) => [name, value])),
  }
}

/** What caused a failure. */
export type Fault = 'Host' | 'Image' | 'Source' | 'Job'

const FAULTS: Readonly<Record<EndCode, Fault | null>> = {
  exited: null,
  stopped: null,
  'hub-restarted': null,
  'orphaned-slot': null,
  'host-removed': null,
  'exited-with-error': 'Job',
  'out-of-memory': 'Job',
  'max-lifetime': 'Job',
  'image-unavailable': 'Image',
  'launch-too-large': 'Image',
  'never-registered': 'Image',
  'reservation-expired': 'Source',
  'mint-refused': 'Source',
  'mint-unknown': 'Source',
  'never-arrived': 'Host',
  'never-started': 'Host',
  'engine-failed': 'Host',
  'engine-unreachable': 'Host',
  'refused-by-agent': 'Host',
  'container-vanished': 'Host',
  'host-rebooted': 'Host',
  'host-dead': 'Host',
}

export function faultOf(code: EndCode): Fault | null {
  return FAULTS[code]
}
