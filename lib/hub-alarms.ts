import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Construct } from 'constructs'
import { CHANGES_INDEX } from '../adapters/dynamodb/schema.ts'
import { AlarmTopic } from './alarm-topic.ts'
import type { FleetTable } from './fleet-table.ts'
import type { HubFunction } from './hub-function.ts'
import type { HubMetrics } from './hub-metrics.ts'
import type { HubSettings } from './settings.ts'

const MINUTE = Duration.minutes(1)
const FIVE_MINUTES = Duration.minutes(5)
/** The person who pushed notices a job that waits longer than this. */
const OLDEST_WAITING_MAX = Duration.minutes(15)
/** A single failure is retried; this many in five minutes mean that a host has a problem. */
const HOST_FAILURES_MAX = 3
/** DynamoDB's clients retry, so a few throttled writes do no harm. */
const THROTTLED_WRITES_MAX = 10

export interface HubAlarmsProps {
  readonly settings: Pick<HubSettings, 'alarmEmail' | 'encryptAlarms' | 'runbookUrl'>
  readonly metrics: HubMetrics
  readonly table: FleetTable
  readonly functions: HubFunctions
}

export interface HubFunctions {
  readonly loop: HubFunction
  readonly sweep: HubFunction
  readonly socket: HubFunction
  readonly authorizer: HubFunction
  readonly http: HubFunction
}

/** One alarm: raised if the metric is at least `threshold` in `breaching` of the last `periods` periods. */
interface AlarmRule {
  /** Also the title of its section in the runbook. */
  readonly name: string
  /** One sentence for the person on call. */
  readonly tells: string
  readonly metric: IMetric
  readonly threshold: number
  readonly periods: number
  readonly breaching: number
  /** What missing data means; most metrics are sent only when they are not zero. */
  readonly silence: 'fine' | 'alarm'
  readonly isBelow?: boolean
}

/** An alarm costs $0.10 a month for each metric that it reads, so there are alarms only where a person can act. */
export class HubAlarms extends Construct {
  readonly topic: AlarmTopic
  readonly alarms: readonly Alarm[]

  constructor(scope: Construct, id: string, props: HubAlarmsProps) {
    super(scope, id)
    this.topic = new AlarmTopic(this, 'Topic', props.settings)
    const rules = [...loopRules(props), ...functionRules(props), ...fleetRules(props), tableRule(props.table)]
    this.alarms = rules.map((rule) => this.#alarm(rule, props.settings.runbookUrl))
  }

  #alarm(rule: AlarmRule, runbookUrl: string): Alarm {
    const alarm = new Alarm(this, rule.name, {
      alarmDescription: `${rule.tells} What to do: ${runbookUrl}#${rule.name}`,
      metric: rule.metric,
      threshold: rule.threshold,
      evaluationPeriods: rule.periods,
      datapointsToAlarm: rule.breaching,
      comparisonOperator: rule.isBelow
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData:
        rule.silence === 'alarm' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    const notify = new SnsAction(this.topic.topic)
    alarm.addAlarmAction(notify)
    alarm.addOkAction(notify)
    return alarm
  }
}

function loopRules({ metrics, functions }: HubAlarmsProps): AlarmRule[] {
  return [
    {
      name: 'loop-silent',
      tells: 'The control loop has not completed a pass for three minutes, so no jobs are started.',
      metric: metrics.get('LoopAlive', 'Sum'),
      threshold: 1,
      isBelow: true,
      periods: 3,
      breaching: 3,
      silence: 'alarm',
    },
    {
      name: 'sweep-fails',
      tells: 'The sweep has failed or has not run for three minutes, so silent hosts are not detected.',
      // Lambda sends a 0 for each invocation that succeeds, so missing data means no invocation.
      metric: functions.sweep.function.metricErrors({ statistic: 'Sum', period: MINUTE }),
      threshold: 1,
      periods: 3,
      breaching: 3,
      silence: 'alarm',
    },
  ]
}

function functionRules({ functions }: HubAlarmsProps): AlarmRule[] {
  const { loop, socket, authorizer, http } = functions
  return [
    errorRule('loop-errors', 'The control loop fails repeatedly.', loop),
    errorRule('agent-socket-errors', 'Handling messages of agents fails repeatedly.', socket),
    errorRule('agent-authorizer-errors', 'Agents cannot connect because the authorizer fails.', authorizer),
    errorRule('http-api-errors', 'Requests to the HTTP API fail with internal errors.', http),
    {
      name: 'agent-socket-throttles',
      tells: "Lambda has throttled messages of agents: the account's concurrency limit is reached.",
      metric: socket.function.metricThrottles({ statistic: 'Sum', period: FIVE_MINUTES }),
      threshold: 1,
      periods: 1,
      breaching: 1,
      silence: 'fine',
    },
  ]
}

/** A single error is retried everywhere, so the alarm needs errors in two of three periods. */
function errorRule(name: string, tells: string, failing: HubFunction): AlarmRule {
  const metric = failing.function.metricErrors({ statistic: 'Sum', period: FIVE_MINUTES })
  return { name, tells, metric, threshold: 1, periods: 3, breaching: 2, silence: 'fine' }
}

function fleetRules({ metrics }: HubAlarmsProps): AlarmRule[] {
  const rule = (
    name: string,
    metric: IMetric,
    rest: Omit<AlarmRule, 'name' | 'metric' | 'silence'>,
  ): AlarmRule => ({
    name,
    metric,
    silence: 'fine',
    ...rest,
  })
  return [
    rule('jobs-wait', metrics.get('OldestWaiting', 'Maximum'), {
      tells: 'A job has been waiting for a runner for more than 15 minutes.',
      threshold: OLDEST_WAITING_MAX.toMilliseconds(),
      periods: 3,
      breaching: 3,
    }),
    rule('host-failures', metrics.get('FailuresHost', 'Sum', FIVE_MINUTES), {
      tells: 'Runners fail repeatedly because of their host.',
      threshold: HOST_FAILURES_MAX,
      periods: 3,
      breaching: 2,
    }),
    rule('source-fails', metrics.get('SourceFailures', 'Maximum'), {
      tells: 'For five minutes a source has not answered, has refused the token, or has had no token.',
      threshold: 1,
      periods: 5,
      breaching: 5,
    }),
    rule('hosts-offline', metrics.get('HostsOffline', 'Maximum'), {
      tells: 'A host has been offline for ten minutes.',
      threshold: 1,
      periods: 10,
      breaching: 10,
    }),
    rule('audit-violations', metrics.get('AuditViolations', 'Sum', FIVE_MINUTES), {
      tells: 'The stored state violates an invariant, or a part of it cannot be read.',
      threshold: 1,
      periods: 1,
      breaching: 1,
    }),
  ]
}

function tableRule({ table }: FleetTable): AlarmRule {
  const throttled = (dimensions: Record<string, string>): Metric =>
    new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'WriteThrottleEvents',
      dimensionsMap: { TableName: table.tableName, ...dimensions },
      statistic: 'Sum',
      period: FIVE_MINUTES,
    })
  return {
    name: 'table-throttles',
    tells: 'DynamoDB throttles writes, so launches and reports are delayed.',
    metric: new MathExpression({
      // Each metric exists only while something is throttled, and SUM ignores missing data.
      expression: 'SUM(METRICS())',
      usingMetrics: { table: throttled({}), index: throttled({ GlobalSecondaryIndexName: CHANGES_INDEX }) },
      period: FIVE_MINUTES,
    }),
    threshold: THROTTLED_WRITES_MAX,
    periods: 3,
    breaching: 2,
    silence: 'fine',
  }
}
