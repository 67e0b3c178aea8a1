/**
 * AWS list prices in US dollars on the date `asOf`: US East (N. Virginia), arm64, without the free tier. Used by the
 * dashboard's estimate and by `npm run cost`.
 */
export const PRICES = {
  region: 'us-east-1',
  asOf: '2025-06-01',
  lambda: { perGbSecond: 0.0000133334, perRequest: 0.2e-6 },
  /** On demand. One unit is a write of 1 KB or a strongly consistent read of 4 KB. */
  dynamodb: { perWriteUnit: 0.625e-6, perReadUnit: 0.125e-6, perGbMonth: 0.25, backupPerGbMonth: 0.2 },
  /** Messages in both directions are billed per 32 KB; calls of the management API count as messages. */
  webSocket: { perMessage: 1e-6, perConnectionMinute: 0.25e-6 },
  httpApi: { perRequest: 1e-6 },
  scheduler: { perInvocation: 1e-6 },
  cloudWatch: {
    /** Prorated by the hours in which a metric is sent. */
    perMetricMonth: 0.3,
    /** For each metric that an alarm reads. */
    perAlarmMetricMonth: 0.1,
    perDashboardMonth: 3,
    perLogGbIngested: 0.5,
    perLogGbMonth: 0.03,
  },
  sns: { perEmail: 0.00002 },
  kms: { perKeyMonth: 1 },
  transfer: { perGbOut: 0.09 },
} as const

/**
 * The monthly free tier of every account. Allowances that end after an account's first months (such as API Gateway's)
 * are not included.
 */
export const FREE_TIER = {
  lambda: { gbSeconds: 400_000, requests: 1_000_000 },
  dynamodb: { gbMonths: 25 },
  scheduler: { invocations: 14_000_000 },
  cloudWatch: { metrics: 10, alarmMetrics: 10, dashboards: 3, logGb: 5 },
  sns: { emails: 1_000 },
  transfer: { gbOut: 100 },
} as const
