/**
 * How a Shipfox source is asked unless a setting says otherwise: the defaults of the settings on one machine, what a
 * hub on AWS runs by, and the pace before a source has said what it allows.
 */
export const SOURCE_PACE = {
  maxReservations: 250,
  mintBatchMax: { v1: 250, v2: 250 },
  pollWaitSecondsMax: 30,
  pollIntervalMs: 1_000,
  pollIntervalMaxMs: 5_000,
  reportIntervalMs: 1_000,
  registrationDeadlineMs: 120_000,
  runnerPollMaxDurationMs: 300_000,
} as const
