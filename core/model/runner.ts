import type { Epoch, EpochMs, HostId, ReservationId, RunnerId, SourceId, TemplateKey } from './ids.ts'
import type { SlotSize } from './template.ts'

/** A source's grant that a runner was planned for. `expiresAt` is by the hub's clock, never later than the source's. */
export interface ReservationRef {
  readonly id: ReservationId
  readonly expiresAt: EpochMs
}

/** An order to end a runner that has not ended yet; repeated to its agent until it has. */
export interface StopOrder {
  readonly reason: StopReason
  readonly requestedAt: EpochMs
}

export const STOP_REASONS = ['canceled', 'never-registered', 'source-ended'] as const
export type StopReason = (typeof STOP_REASONS)[number]

export const OUTCOMES = ['finished', 'failed', 'lost'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Why a runner ended, as a stable code; the reason beside it is a sentence for people. */
export const END_CODES = [
  'exited',
  'exited-with-error',
  'out-of-memory',
  'stopped',
  'max-lifetime',
  'never-registered',
  'never-arrived',
  'launch-too-large',
  'never-started',
  'reservation-expired',
  'mint-refused',
  'mint-unknown',
  'image-unavailable',
  'engine-failed',
  'engine-unreachable',
  'refused-by-agent',
  'hub-restarted',
  'orphaned-slot',
  'container-vanished',
  'host-rebooted',
  'host-dead',
  'host-removed',
] as const
export type EndCode = (typeof END_CODES)[number]

export function isEndCode(code: unknown): code is EndCode {
  return END_CODES.some((known) => known === code)
}

export interface Ending {
  readonly outcome: Outcome
  readonly code: EndCode
  readonly reason: string
  readonly exitCode: number | null
}

/** Facts that are true of a runner in every state. */
export interface RunnerFacts extends SlotSize {
  readonly id: RunnerId
  readonly template: TemplateKey
  readonly host: HostId
  readonly source: SourceId
  readonly labels: readonly string[]
  /** Null for a warm runner. */
  readonly reservation: ReservationRef | null
  readonly reservedAt: EpochMs
  readonly stop: StopOrder | null
}

/** A slot is claimed and nothing outside has happened yet, except perhaps a mint. Owner: the control loop. */
export interface ReservedRunner extends RunnerFacts {
  readonly state: 'reserved'
}
/** The launch was, or is just being, posted under `epoch`. Owner: the agent that holds that epoch. */
export interface DispatchedRunner extends RunnerFacts {
  readonly state: 'dispatched'
  readonly epoch: Epoch
  readonly dispatchedAt: EpochMs
}
/** Its container runs. Owner: the agent; the maximum lifetime bounds it. */
export interface RunningRunner extends RunnerFacts {
  readonly state: 'running'
  readonly startedAt: EpochMs
}
/** Ended for good; kept as a tombstone until retention removes it. */
export interface GoneRunner extends RunnerFacts, Ending {
  readonly state: 'gone'
  readonly startedAt: EpochMs | null
  readonly goneAt: EpochMs
}

export type Runner = ReservedRunner | DispatchedRunner | RunningRunner | GoneRunner
export type LiveRunner = Exclude<Runner, GoneRunner>
export const RUNNER_STATES = [
  'reserved',
  'dispatched',
  'running',
  'gone',
] as const satisfies readonly Runner['state'][]
export type RunnerState = (typeof RUNNER_STATES)[number]

const NEXT: Readonly<Record<RunnerState, readonly RunnerState[]>> = {
  reserved: ['dispatched', 'gone'],
  dispatched: ['running', 'gone'],
  running: ['gone'],
  gone: [],
}

/** The published state machine: a transition that is not an edge of it is never written. */
export function mayMove(from: RunnerState, to: RunnerState): boolean {
  return NEXT[from].includes(to)
}

const RANK: Readonly<Record<RunnerState, number>> = { reserved: 0, dispatched: 1, running: 2, gone: 3 }

/** The further of two views of one runner: states only move up, so a stale read never wins. */
export function furthest<R extends Runner>(left: R, right: R): R {
  return RANK[right.state] >= RANK[left.state] ? right : left
}

/** How long a tombstone stays: longer than any writer can have been paused. */
export const TOMBSTONE_MS = 24 * 60 * 60 * 1000
/** Of a runner that finished, once its source knows: every reading of the fleet carries it (ADR 0010). */
export const FINISHED_TOMBSTONE_MS = 30 * 60 * 1000
