/**
 * AWS list prices, US East (N. Virginia), arm64, without the free tier, in US dollars, as they were on the date
 * below. The dashboard's estimate and `npm run cost` both use them.
 */
export const PRICES = {
  region: 'us-east-1',
  asOf: '2025-06-01',
  lambda: { perGbSecond: 0.0000133334, perRequest: 0.2e-6 },
  /** On-demand units; a write of 1 KB is one, a strongly consistent read of 4 KB is one. */
  dynamodb: { perWriteUnit: 0.625e-6, perReadUnit: 0.125e-6, perGbMonth: 0.25, backupPerGbMonth: 0.2 },
  /** Messages count in steps of 32 KB, in both directions; calls of the management API count as messages. */
  webSocket: { perMessage: 1e-6, perConnectionMinute: 0.25e-6 },
  httpApi: { perRequest: 1e-6 },
  scheduler: { perInvocation: 1e-6 },
  cloudWatch: {
    /** Prorated: a metric costs for the hours in which it is sent. */
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
 * What every account has free each month, new or old. The allowances that end after an account's first months
 * (API Gateway's among them) are left out.
 */
export const FREE_TIER = {
  lambda: { gbSeconds: 400_000, requests: 1_000_000 },
  dynamodb: { gbMonths: 25 },
  scheduler: { invocations: 14_000_000 },
  cloudWatch: { metrics: 10, alarmMetrics: 10, dashboards: 3, logGb: 5 },
  sns: { emails: 1_000 },
  transfer: { gbOut: 100 },
} as const
