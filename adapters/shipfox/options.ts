import type { Secret, SourceId } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { Generation } from './wire.ts'

export interface ShipfoxOptions {
  readonly id: SourceId
  /** Base URL of the API: http or https, perhaps with a path prefix; a trailing slash is fine. */
  readonly apiUrl: string
  /** `sf_pt_…` */
  readonly token: Secret
  /** `auto` asks the server. */
  readonly protocol: 'auto' | Generation
  /** The API's base URL as containers reach it; handed to runners as it stands. */
  readonly runnerApiUrl: string
  /** Most units asked for in one poll, 0 to 1000. */
  readonly maxReservations: number
  /** Most runners in one mint call; the server takes 500. */
  readonly mintBatchMax: Readonly<Record<Generation, number>>
  /** The longest hold of a poll; the server holds 30 s at most. */
  readonly pollWaitSecondsMax: number
  readonly pollIntervalMs: number
  readonly pollIntervalMaxMs: number
  /** Pace of reports about runners that move on. */
  readonly reportIntervalMs: number
  readonly registrationDeadlineMs: number
  /** How long a runner waits for its job; 0 = for ever. */
  readonly runnerPollMaxDurationMs: number
  /** Told to every runner in place of its template's own maximum lifetime. */
  readonly runnerMaxLifetimeSeconds?: number
  readonly clock: Clock
  readonly log: Log
  /** What runs the runners, as v2 runners and reports call it. Default `docker`, told to runners only. */
  readonly providerKind?: string
}
