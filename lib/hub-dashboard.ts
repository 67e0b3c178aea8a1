import { Duration, Stack } from 'aws-cdk-lib'
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  PeriodOverride,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import type { MetricName } from '../adapters/cloudwatch/metric-names.ts'
import type { AgentSocketApi } from './agent-socket-api.ts'
import { type CostParts, costPerDay } from './cost-per-day.ts'
import type { HubFunctions } from './hub-alarms.ts'
import type { HubFunction } from './hub-function.ts'
import type { HubHttpApi } from './hub-http-api.ts'
import type { HubMetrics } from './hub-metrics.ts'

const FULL_WIDTH = 24
const HALF = FULL_WIDTH / 2
const THIRD = FULL_WIDTH / 3
const MINUTE = Duration.minutes(1)
/** Costs have one value per day, so the default range of a few hours would show none. */
const COST_RANGE = { start: '-P14D', end: 'P0D' }

export interface HubDashboardProps extends Omit<CostParts, 'functions'> {
  readonly metrics: HubMetrics
  readonly functions: HubFunctions
  readonly alarms: readonly Alarm[]
  readonly agents: AgentSocketApi
  readonly http: HubHttpApi
}

/**
 * One page that answers: is it working, is it fast, what is broken, what does it cost. Values that an idle hub doesn't
 * send as metrics are queried from the log, which costs only while the dashboard is open.
 */
export class HubDashboard extends Construct {
  readonly url: string

  constructor(scope: Construct, id: string, props: HubDashboardProps) {
    super(scope, id)
    const dashboard = new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(3),
      // Otherwise CloudWatch would choose periods by the time range, and values per minute or per day would be wrong.
      periodOverride: PeriodOverride.INHERIT,
    })
    dashboard.addWidgets(title('Is it working?'))
    dashboard.addWidgets(...isItWorking(props))
    dashboard.addWidgets(title('Is it fast?'))
    dashboard.addWidgets(...isItFast(props.metrics))
    dashboard.addWidgets(title('What is broken?'))
    for (const row of whatIsBroken(props)) dashboard.addWidgets(...row)
    dashboard.addWidgets(title('What does it cost?'))
    dashboard.addWidgets(...whatDoesItCost(props))
    const { region, partition } = Stack.of(this)
    const console = partition === 'aws-cn' ? 'console.amazonaws.cn' : 'console.aws.amazon.com'
    this.url = `https://${console}/cloudwatch/home?region=${region}#dashboards:name=${dashboard.dashboardName}`
  }
}

function isItWorking({ alarms, metrics, functions }: HubDashboardProps): IWidget[] {
  return [
    new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: THIRD, height: 6 }),
    graph('Passes of the loop, per minute', THIRD, [metrics.get('LoopAlive', 'Sum')]),
    query(
      'Status of the loop',
      THIRD,
      [functions.loop],
      [
        'filter event = "loop.alive"',
        'fields hostsOnline, hostsOffline, waiting, running, lagMs, working',
        'sort @timestamp desc',
        'limit 60',
      ],
    ),
  ]
}

function isItFast(metrics: HubMetrics): IWidget[] {
  const percentiles = (name: MetricName): IMetric[] => [
    metrics.get(name, Stats.p(50)),
    metrics.get(name, Stats.p(95)),
  ]
  return [
    graph('Queued to running, ms', THIRD, percentiles('QueuedToRunning')),
    graph('Reserved to running, ms', THIRD, percentiles('ReservedToRunning')),
    graph('The loop: time since its last pass, ms', THIRD, [metrics.get('LoopLag', 'Maximum')]),
    graph('Waiting jobs', THIRD, maxima(metrics, ['WaitingNoRoom', 'WaitingNoTemplate', 'WaitingOther'])),
    graph('Age of the oldest waiting job, ms', THIRD, maxima(metrics, ['OldestWaiting'])),
    graph('Runners and hosts', THIRD, maxima(metrics, ['RunnersRunning', 'HostsOnline', 'HostsOffline'])),
  ]
}

function whatIsBroken({ metrics, functions }: HubDashboardProps): IWidget[][] {
  const all = Object.values(functions)
  const failures: MetricName[] = ['FailuresHost', 'FailuresImage', 'FailuresSource', 'FailuresJob']
  return [
    [
      graph(
        'Failed runners, by reason',
        THIRD,
        failures.map((name) => metrics.get(name, 'Sum')),
      ),
      graph(
        'Errors of functions',
        THIRD,
        all.map((each) => each.function.metricErrors({ statistic: 'Sum' })),
      ),
      graph('Failing sources and audit violations', THIRD, [
        metrics.get('SourceFailures', 'Maximum'),
        metrics.get('AuditViolations', 'Sum'),
      ]),
    ],
    [
      query('Failed runners, by template and host', HALF, Object.values(functions), [
        'filter event = "runner.gone" and outcome != "finished"',
        'stats count(*) as failed by template, host, code',
        'sort failed desc',
        'limit 50',
      ]),
      query('The latest warnings and errors', HALF, Object.values(functions), [
        'filter level in ["warn", "error", "WARN", "ERROR"]',
        'fields @timestamp, event, source, host, template',
        // Lambda logs an error that a function threw as an object in `message`.
        'fields coalesce(code, message.code) as errorCode',
        'fields coalesce(message.errorMessage, message, reason, errorMessage, cause) as text',
        'sort @timestamp desc',
        'limit 50',
      ]),
    ],
  ]
}

function whatDoesItCost({ metrics, table, functions, agents, http }: HubDashboardProps): IWidget[] {
  const all = Object.values(functions)
  return [
    graph(
      'US dollars a day at list price, without alarms and dashboard',
      THIRD,
      [costPerDay({ table, functions: all, agents, http })],
      COST_RANGE,
    ),
    graph(
      'Run time of functions, ms',
      THIRD,
      all.map((each) => each.function.metricDuration({ statistic: 'Sum' })),
    ),
    graph('AWS calls per launch', THIRD, [metrics.get('CallsPerLaunch', 'Average')]),
  ]
}

function title(text: string): TextWidget {
  return new TextWidget({ markdown: `## ${text}`, width: FULL_WIDTH, height: 1 })
}

function graph(
  titleText: string,
  width: number,
  left: readonly IMetric[],
  range: Partial<typeof COST_RANGE> = {},
): GraphWidget {
  return new GraphWidget({
    ...range,
    title: titleText,
    width,
    height: 6,
    left: [...left],
    leftYAxis: { min: 0, showUnits: false },
  })
}

function maxima(metrics: HubMetrics, names: readonly MetricName[]): IMetric[] {
  return names.map((name) => metrics.get(name, 'Maximum', MINUTE))
}

function query(
  titleText: string,
  width: number,
  from: readonly HubFunction[],
  lines: readonly string[],
): LogQueryWidget {
  return new LogQueryWidget({
    title: titleText,
    width,
    height: 6,
    view: LogQueryVisualizationType.TABLE,
    logGroupNames: from.map(({ logGroup }) => logGroup.logGroupName),
    queryLines: [...lines],
  })
}
