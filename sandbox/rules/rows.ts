import type { EpochMs } from '../types.ts'
import type { TokenKind } from './tokens.ts'

/** The sandbox's only provisioner, and its workspace. */
export type ProvisionerRow = {
  readonly id: string
  readonly workspaceId: string
  readonly tokenHash: string
  readonly token: 'valid' | 'revoked' | 'expired'
  /** The fixed window of the mint limit (v1). */
  readonly mintWindow: { readonly startedAt: EpochMs; readonly requests: number }
}

export type ReservationRow = {
  readonly id: string
  readonly labels: readonly string[]
  /** Units still held: shrinks with every release. */
  readonly count: number
  /** v2: units that became runner instances. Always 0 in v1. */
  readonly bound: number
  /** v1: every registration token ever minted for it; never shrinks. */
  readonly alreadyMinted: number
  readonly expiresAt: EpochMs
}

/** In order of rank: a report never moves a runner to a lower rank. */
export const RUNNER_STATES = ['starting', 'running', 'stopping', 'stopped', 'failed', 'terminated'] as const
export type RunnerState = (typeof RUNNER_STATES)[number]

export const rankOf = (state: RunnerState): number => RUNNER_STATES.indexOf(state)
export const isTerminal = (state: RunnerState): boolean => rankOf(state) >= rankOf('stopped')

/** One runner on the server: created by a report, or in v2 by a mint (then `id` is the instance id). */
export type RunnerRow = {
  readonly id: string
  /** Null until attached (v2). */
  readonly providerRunnerId: string | null
  readonly state: RunnerState
  readonly reason: string | null
  readonly labels: readonly string[]
  /** v2: the reservation in the mint request. */
  readonly intendedReservationId: string | null
  /** v1: as reported. v2: as bound at enrolment, by adoption or by assignment. */
  readonly reservationId: string | null
  /** Whether its unit was released: once per binding. */
  readonly unitReleased: boolean
  readonly madeBy: 'report' | 'mint'
  /** v2: null until the container has enrolled. */
  readonly enrolledAt: EpochMs | null
  readonly sessionId: string | null
  readonly createdAt: EpochMs
  readonly reportedAt: EpochMs
}

/** A minted runner belongs to no workspace until it enrols, so reconcile can't see it before. */
export const isInWorkspace = (runner: RunnerRow): boolean =>
  runner.madeBy === 'report' || runner.enrolledAt !== null

/** The reservation whose unit this runner has or was minted for. */
export const reservationOf = (runner: RunnerRow): string | null =>
  runner.reservationId ?? runner.intendedReservationId

export type SessionRow = {
  readonly id: string
  /** v1: the `provider_runner_id` of the registration token. v2: of the instance, or its id if none is attached. */
  readonly providerRunnerId: string
  readonly labels: readonly string[]
  readonly createdAt: EpochMs
  /** A session can claim one job. */
  readonly jobId: string | null
}

/** A token by its hash. */
export type TokenRow = {
  readonly id: string
  readonly kind: Exclude<TokenKind, 'provisioner'>
  /** registration: provider runner id; bootstrap, control, activation: instance; session: session; lease: job. */
  readonly subject: string
  readonly expiresAt: EpochMs
  readonly consumedAt: EpochMs | null
}
