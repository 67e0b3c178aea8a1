import { FREE_TIER, PRICES } from '../../lib/prices.ts'

/** What a hub used, in the units that AWS bills. Two of them add up. */
export interface Usage {
  readonly lambdaRequests: number
  readonly lambdaGbSeconds: number
  readonly writeUnits: number
  readonly readUnits: number
  readonly tableGbMonths: number
  readonly backupGbMonths: number
  readonly socketMessages: number
  readonly connectionMinutes: number
  readonly httpRequests: number
  readonly schedulerInvocations: number
  readonly gbOut: number
  /** Of which some may be sent for a part of the month only. */
  readonly metricMonths: number
  readonly alarmMetricMonths: number
  readonly dashboardMonths: number
  readonly logGb: number
  /** Kept at the end of the month. */
  readonly logGbMonths: number
}

export const NOTHING: Usage = {
  lambdaRequests: 0,
  lambdaGbSeconds: 0,
  writeUnits: 0,
  readUnits: 0,
  tableGbMonths: 0,
  backupGbMonths: 0,
  socketMessages: 0,
  connectionMinutes: 0,
  httpRequests: 0,
  schedulerInvocations: 0,
  gbOut: 0,
  metricMonths: 0,
  alarmMetricMonths: 0,
  dashboardMonths: 0,
  logGb: 0,
  logGbMonths: 0,
}

const NAMES = Object.keys(NOTHING) as readonly (keyof Usage)[]

export function add(...usages: readonly Usage[]): Usage {
  const sum = (name: keyof Usage): number => usages.reduce((total, usage) => total + usage[name], 0)
  return Object.fromEntries(NAMES.map((name) => [name, sum(name)])) as unknown as Usage
}

export function scale(usage: Usage, factor: number): Usage {
  return Object.fromEntries(NAMES.map((name) => [name, usage[name] * factor])) as unknown as Usage
}

export function subtract(from: Usage, what: Usage): Usage {
  return add(from, scale(what, -1))
}

export interface BillLine {
  readonly group: 'core' | 'cloudWatch'
  readonly what: string
  readonly amount: number
  readonly unit: string
  readonly dollars: number
}

export interface Bill {
  readonly lines: readonly BillLine[]
  readonly core: number
  readonly cloudWatch: number
}

/** The bill for a month's usage. With the free tier, what every account has free is taken off first. */
export function billOf(usage: Usage, { freeTier }: { freeTier: boolean }): Bill {
  const line = (
    group: BillLine['group'],
    what: string,
    [amount, unit]: readonly [number, string],
    price: number,
    free = 0,
  ): BillLine => {
    const billed = freeTier ? Math.max(0, amount - free) : amount
    return { group, what, amount, unit, dollars: billed * price }
  }
  const { lambda, dynamodb, webSocket, httpApi, scheduler, cloudWatch, transfer } = PRICES
  const lines = [
    line(
      'core',
      'functions: time',
      [usage.lambdaGbSeconds, 'GB-seconds'],
      lambda.perGbSecond,
      FREE_TIER.lambda.gbSeconds,
    ),
    line(
      'core',
      'functions: starts',
      [usage.lambdaRequests, 'requests'],
      lambda.perRequest,
      FREE_TIER.lambda.requests,
    ),
    line('core', 'table: writes', [usage.writeUnits, 'units'], dynamodb.perWriteUnit),
    line('core', 'table: reads', [usage.readUnits, 'units'], dynamodb.perReadUnit),
    line(
      'core',
      'table: storage',
      [usage.tableGbMonths, 'GB-months'],
      dynamodb.perGbMonth,
      FREE_TIER.dynamodb.gbMonths,
    ),
    line('core', 'table: recovery', [usage.backupGbMonths, 'GB-months'], dynamodb.backupPerGbMonth),
    line('core', 'agents: messages', [usage.socketMessages, 'messages'], webSocket.perMessage),
    line('core', 'agents: connections', [usage.connectionMinutes, 'minutes'], webSocket.perConnectionMinute),
    line('core', 'HTTP API', [usage.httpRequests, 'requests'], httpApi.perRequest),
    line(
      'core',
      'schedules',
      [usage.schedulerInvocations, 'starts'],
      scheduler.perInvocation,
      FREE_TIER.scheduler.invocations,
    ),
    line('core', 'traffic out', [usage.gbOut, 'GB'], transfer.perGbOut, FREE_TIER.transfer.gbOut),
    line(
      'cloudWatch',
      'metrics',
      [usage.metricMonths, 'metric-months'],
      cloudWatch.perMetricMonth,
      FREE_TIER.cloudWatch.metrics,
    ),
    line(
      'cloudWatch',
      'alarms',
      [usage.alarmMetricMonths, 'alarm metrics'],
      cloudWatch.perAlarmMetricMonth,
      FREE_TIER.cloudWatch.alarmMetrics,
    ),
    line(
      'cloudWatch',
      'dashboards',
      [usage.dashboardMonths, 'dashboards'],
      cloudWatch.perDashboardMonth,
      FREE_TIER.cloudWatch.dashboards,
    ),
    line(
      'cloudWatch',
      'logs: written',
      [usage.logGb, 'GB'],
      cloudWatch.perLogGbIngested,
      FREE_TIER.cloudWatch.logGb,
    ),
    line('cloudWatch', 'logs: kept', [usage.logGbMonths, 'GB-months'], cloudWatch.perLogGbMonth),
  ]
  const sum = (group: BillLine['group']): number =>
    lines.filter((one) => one.group === group).reduce((total, { dollars }) => total + dollars, 0)
  return { lines, core: sum('core'), cloudWatch: sum('cloudWatch') }
}
