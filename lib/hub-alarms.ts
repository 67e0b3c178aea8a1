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
import { AlarmTopic } from './alarm-topic.ts'
import { CHANGES_INDEX, type FleetTable } from './fleet-table.ts'
import type { HubFunction } from './hub-function.ts'
import type { HubMetrics } from './hub-metrics.ts'
import type { HubSettings } from './settings.ts'

const MINUTE = Duration.minutes(1)
const FIVE_MINUTES = Duration.minutes(5)
/** A job that waits for longer than this is missed by the person who pushed it. */
const OLDEST_WAITING_MAX = Duration.minutes(15)
/** One failure is a retry; these many in five minutes are a host that has a problem. */
const HOST_FAILURES_MAX = 3
/** DynamoDB's clients try again by themselves, so a few throttled writes do no harm. */
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

/** One alarm: at least `threshold` in `breaching` of `periods` of the metric's periods. */
interface AlarmRule {
  /** Also the name of its section in the runbook. */
  readonly name: string
  /** One sentence for the person whom it wakes. */
  readonly tells: string
  readonly metric: IMetric
  readonly threshold: number
  readonly periods: number
  readonly breaching: number
  /** What silence means; most metrics are only sent when there is something to tell. */
  readonly silence: 'fine' | 'alarm'
  readonly isBelow?: boolean
}

/** Every alarm costs 0.10 $ a month for each metric that it reads: these are the ones that a person can act on. */
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
    const tell = new SnsAction(this.topic.topic)
    alarm.addAlarmAction(tell)
    alarm.addOkAction(tell)
    return alarm
  }
}

function loopRules({ metrics, functions }: HubAlarmsProps): AlarmRule[] {
  return [
    {
      name: 'loop-silent',
      tells: 'No control loop has completed a pass for three minutes: no job is started.',
      metric: metrics.get('LoopAlive', 'Sum'),
      threshold: 1,
      isBelow: true,
      periods: 3,
      breaching: 3,
      silence: 'alarm',
    },
    {
      name: 'sweep-fails',
      tells: 'The sweep has failed, or was not started, for three minutes: silent hosts go unnoticed.',
      // Lambda sends a 0 for each invocation that went well, so no value means no invocation.
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
    errorRule('loop-errors', 'The control loop ends with errors again and again.', loop),
    errorRule('agent-socket-errors', 'What agents report fails to be taken, again and again.', socket),
    errorRule('agent-authorizer-errors', 'Agents that dial in are turned away by errors.', authorizer),
    errorRule('http-api-errors', "Requests of the command line fail by the hub's own errors.", http),
    {
      name: 'agent-socket-throttles',
      tells: "Lambda has turned reports of agents away: the account's concurrency is used up.",
      metric: socket.function.metricThrottles({ statistic: 'Sum', period: FIVE_MINUTES }),
      threshold: 1,
      periods: 1,
      breaching: 1,
      silence: 'fine',
    },
  ]
}

/** A single error is repaired by the next try, wherever it happens. */
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
      tells: 'A job has waited for more than 15 minutes without getting a runner.',
      threshold: OLDEST_WAITING_MAX.toMilliseconds(),
      periods: 3,
      breaching: 3,
    }),
    rule('host-failures', metrics.get('FailuresHost', 'Sum', FIVE_MINUTES), {
      tells: 'Runners fail because of their host, again and again.',
      threshold: HOST_FAILURES_MAX,
      periods: 3,
      breaching: 2,
    }),
    rule('source-fails', metrics.get('SourceFailures', 'Maximum'), {
      tells: 'A source has not answered for five minutes, refuses our token, or has no token yet.',
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
      tells: 'The recorded state breaks one of its own rules, or part of it cannot be read.',
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
    tells: 'DynamoDB turns writes away: launches and reports are slowed down.',
    metric: new MathExpression({
      // Either one is only there while something is throttled, and a sum passes over what is missing.
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
