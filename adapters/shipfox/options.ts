import type { Secret, SourceId } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { Generation } from './wire.ts'

export interface ShipfoxOptions {
  readonly id: SourceId
  /** Base URL of the API: http or https, with an optional path prefix; a trailing slash is allowed. */
  readonly apiUrl: string
  /** `sf_pt_…` */
  readonly token: Secret
  /** `auto` detects it. */
  readonly protocol: 'auto' | Generation
  /** The API's base URL as containers reach it; passed to runners unchanged. */
  readonly runnerApiUrl: string
  /** The most units that one poll requests, 0 to 1000. */
  readonly maxReservations: number
  /** The most runners in one mint call; the server's limit is 500. */
  readonly mintBatchMax: Readonly<Record<Generation, number>>
  /** The longest time to hold a poll; the server's limit is 30 s. */
  readonly pollWaitSecondsMax: number
  readonly pollIntervalMs: number
  readonly pollIntervalMaxMs: number
  /** Interval of reports about runners whose state changes. */
  readonly reportIntervalMs: number
  readonly registrationDeadlineMs: number
  /** How long a runner waits for its job; 0 = no limit. */
  readonly runnerPollMaxDurationMs: number
  /** Passed to every runner instead of its template's maximum lifetime. */
  readonly runnerMaxLifetimeSeconds?: number
  readonly clock: Clock
  readonly log: Log
  /** Kind of the provider in v2 runners and reports. The default `docker` is passed to runners only. */
  readonly providerKind?: string
}
