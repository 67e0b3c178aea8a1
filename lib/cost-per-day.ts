import { Duration } from 'aws-cdk-lib'
import { type IMetric, MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { CHANGES_INDEX } from '../adapters/dynamodb/schema.ts'
import type { AgentSocketApi } from './agent-socket-api.ts'
import type { FleetTable } from './fleet-table.ts'
import { type HubFunction, MEMORY_MIB } from './hub-function.ts'
import type { HubHttpApi } from './hub-http-api.ts'
import { PRICES } from './prices.ts'

const MIB_PER_GB = 1024
const MS_PER_SECOND = 1000
/** CloudWatch's expressions don't support exponents; the smallest price is for one millisecond. */
const PRICE_DIGITS = 15

export interface CostParts {
  readonly table: FleetTable
  readonly functions: readonly HubFunction[]
  readonly agents: AgentSocketApi
  readonly http: HubHttpApi
}

/** The usage costs in dollars a day at list price, computed by CloudWatch from AWS's free metrics. */
export function costPerDay(parts: CostParts): IMetric {
  const uses = [...functionUses(parts.functions), ...tableUses(parts.table), ...apiUses(parts)]
  const usingMetrics = Object.fromEntries(uses.map(({ metric }, index) => [`use${index}`, metric]))
  const terms = uses.map(({ price }, index) => `FILL(use${index}, 0) * ${price.toFixed(PRICE_DIGITS)}`)
  return new MathExpression({
    label: 'US dollars a day',
    expression: terms.join(' + '),
    usingMetrics,
    period: Duration.days(1),
  })
}

interface Use {
  readonly metric: Metric
  /** Dollars for one unit of the metric's sum. */
  readonly price: number
}

function functionUses(functions: readonly HubFunction[]): Use[] {
  const perMs = (PRICES.lambda.perGbSecond * MEMORY_MIB) / MIB_PER_GB / MS_PER_SECOND
  return functions.flatMap(({ function: each }) => [
    { metric: daily(each.metricDuration()), price: perMs },
    { metric: daily(each.metricInvocations()), price: PRICES.lambda.perRequest },
  ])
}

function tableUses({ name }: FleetTable): Use[] {
  const { perReadUnit, perWriteUnit } = PRICES.dynamodb
  return [{}, { GlobalSecondaryIndexName: CHANGES_INDEX }].flatMap((index) => [
    { metric: consumed('ConsumedReadCapacityUnits', { TableName: name, ...index }), price: perReadUnit },
    { metric: consumed('ConsumedWriteCapacityUnits', { TableName: name, ...index }), price: perWriteUnit },
  ])
}

function apiUses({ agents, http }: CostParts): Use[] {
  return [
    { metric: daily(agents.api.metric('MessageCount')), price: PRICES.webSocket.perMessage },
    { metric: daily(http.api.metricCount()), price: PRICES.httpApi.perRequest },
  ]
}

function consumed(metricName: string, dimensionsMap: Record<string, string>): Metric {
  return daily(new Metric({ namespace: 'AWS/DynamoDB', metricName, dimensionsMap }))
}

function daily(metric: Metric): Metric {
  return metric.with({ statistic: 'Sum', period: Duration.days(1) })
}
