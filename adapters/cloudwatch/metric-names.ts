/*
 * The names of the hub's own metrics, shared by the code that sends them and by the stack's alarms and dashboard.
 * This file imports nothing, so that the stack can import it.
 */

export const METRIC_NAMESPACE = 'Slipway'

/** The one dimension: tells hubs apart by the names of their tables. */
export const HUB_DIMENSION = 'Hub'

/**
 * What the functions measure themselves (embedded metric format). Only LoopAlive is sent all the time; the others
 * while work lives, or when there is something to report, because CloudWatch bills a metric by the hour.
 */
export const METRIC_NAMES = [
  'LoopAlive',
  'LoopLag',
  'Waiting',
  'WaitingNoRoom',
  'WaitingNoTemplate',
  'WaitingOther',
  'OldestWaiting',
  'QueuedToRunning',
  'ReservedToRunning',
  'RunnersRunning',
  'Launches',
  'CallsPerLaunch',
  'FailuresHost',
  'FailuresImage',
  'FailuresSource',
  'FailuresJob',
  'HostsOnline',
  'HostsOffline',
  'SourceFailures',
  'AuditViolations',
] as const
export type MetricName = (typeof METRIC_NAMES)[number]
