import * as z from 'zod'
import { synthesize } from '../assembly/synthesize.ts'
import type { Assembly } from '../assembly/template.ts'
import { NOTHING, type Usage } from './bill.ts'
import type { Sizes } from './hub-in-virtual-time.ts'

/** What the cost depends on and only the stack can say. */
export interface StackFacts {
  readonly sizes: Sizes
  readonly functions: number
  readonly alarmMetrics: number
  readonly dashboards: number
  /** The month's cost of what is billed for being there. */
  readonly standing: Usage
}

/** Of a stage as it would be deployed for production. */
export async function readStackFacts(): Promise<StackFacts> {
  const synthesized = await synthesize('prod')
  try {
    return factsOf(synthesized.assembly)
  } finally {
    await synthesized.close()
  }
}

const Alarm = z.looseObject({
  Metrics: z.array(z.looseObject({ MetricStat: z.unknown().optional() })).default([]),
})

export function factsOf(assembly: Assembly): StackFacts {
  const composite = assembly.counts['AWS::CloudWatch::CompositeAlarm'] ?? 0
  if (composite > 0) throw new Error('Composite alarms have a price of their own: add it to lib/prices.ts.')
  const alarmMetrics = assembly
    .propertiesOf('AWS::CloudWatch::Alarm')
    .map((alarm) => Alarm.parse(alarm).Metrics.filter(({ MetricStat }) => MetricStat !== undefined).length)
    .reduce((sum, count) => sum + Math.max(1, count), 0)
  const dashboards = assembly.counts['AWS::CloudWatch::Dashboard'] ?? 0
  const scheduled = new Set(assembly.schedules.map(({ functionArn }) => functionArn))
  const loop = assembly.functions
    .filter(({ arn }) => scheduled.has(arn))
    .toSorted((left, right) => right.timeoutMs - left.timeoutMs)[0]
  if (loop === undefined) throw new Error('No function of the stack is started by a schedule.')
  return {
    sizes: { memoryMb: loop.memoryMb, loopTimeoutMs: loop.timeoutMs },
    functions: assembly.functions.length,
    alarmMetrics,
    dashboards,
    standing: { ...NOTHING, alarmMetricMonths: alarmMetrics, dashboardMonths: dashboards },
  }
}
