import type {
  DemandAnswer,
  ObservedRunner,
  PollRequest,
  Reservation,
  RunnerId,
  RunnerReport,
  Secret,
  SourceId,
  SourceLimits,
  Template,
} from '../model/index.ts'

export { SecretMissing, SourceError, type SourceFailureKind } from '../model/source-error.ts'

export interface MintRequest {
  readonly reservation: Reservation['id'] | null
  readonly runners: readonly { readonly id: RunnerId; readonly template: Template }[]
}

/** One runner's own registration: the environment that lets its container take one job. */
export type Mint =
  | {
      readonly runner: RunnerId
      readonly ok: true
      readonly env: Readonly<Record<string, string>>
      readonly secretEnv: Readonly<Record<string, Secret>>
    }
  | {
      readonly runner: RunnerId
      readonly ok: false
      readonly code: 'reservation-expired' | 'mint-refused' | 'mint-unknown'
      readonly reason: string
    }

export interface DemandSource {
  readonly id: SourceId
  /** Proves that the source can be reached and accepts the token, and learns its limits. Call first. */
  authenticate(signal: AbortSignal): Promise<SourceLimits>
  /**
   * Reservations granted now; [] means none, never unknown. The call ends within `waitSeconds` and a margin, or throws.
   */
  poll(request: PollRequest, signal: AbortSignal): Promise<DemandAnswer>
  /** One answer per runner asked for, in any order. A runner's token is never handed out twice. */
  mint(request: MintRequest, signal: AbortSignal): Promise<readonly Mint[]>
  /** Idempotent: states only move up at the source. Batches by the source's limits. */
  report(reports: readonly RunnerReport[], signal: AbortSignal): Promise<void>
  /** `observed` is the full set of live runners. One answer per id that the source knows. */
  reconcile(observed: readonly RunnerId[], signal: AbortSignal): Promise<readonly ObservedRunner[]>
}
