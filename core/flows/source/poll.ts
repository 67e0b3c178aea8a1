import {
  type DemandAnswer,
  type Refusal,
  SOURCE_PACE,
  type SourceCondition,
  type WaitingJobs,
} from '../../model/index.ts'
import {
  type DemandPlan,
  explainWaiting,
  pollWaitSeconds,
  planDemand,
  planWarm,
  pollSpacingMs,
  formatRefusal,
  ungranted,
} from '../../plan/index.ts'
import { SourceError } from '../../ports/index.ts'
import { type ClaimParts, launchGranted, launchWarm } from '../launch/claim.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'
import { cancelRunner, type OrderStopParts } from './order-stop.ts'
import { refusalFields } from '../source-events.ts'
import { conditionAfter, failing } from './publish-status.ts'

/** Polls caused by freed capacity keep this distance, so that a hundred exits don't cause a hundred polls. */
const WOKEN_SPACING_MS = 100
/** With less time left for calls, no poll is started: the lease has to be renewed first. */
const CALL_MIN_MS = 3_000
/** An open poll would delay the hand-over. */
const POLL_MIN_MS = 1_000

/** Paces the first call, while the source's own limits are not known yet. */
const OPENING_PACE = { ...SOURCE_PACE, pollWaitSecondsMax: 0 }

type OpenParts = Pick<Planner, 'clock' | 'random' | 'log' | 'lease' | 'work'>
type AnswerParts = OpenParts & OrderStopParts & ClaimParts & Pick<Planner, 'tasks' | 'inputs'>
type PollParts = AnswerParts & Pick<Planner, 'handOver' | 'templatesInForce'>

/** Presents our token until the source accepts it; false when the signal aborts before. */
export async function openSource(
  parts: OpenParts,
  state: SourceState,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, random, lease, work } = parts
  while (!signal.aborted) {
    try {
      state.opened(await lease.call(signal, (guarded) => state.source.authenticate(guarded)))
      return true
    } catch (thrown) {
      if (signal.aborted) return false
      notePollFailure(parts, state, thrown)
      await clock.sleep(pollSpacingMs(state.lastPoll, OPENING_PACE, work.msSinceWork, random.unit()), signal)
    }
  }
  return false
}

/** Polls one source until the signal aborts. A failing source delays nobody else. */
export async function pollSource(parts: PollParts, state: SourceState, signal: AbortSignal): Promise<void> {
  const { clock, random, lease, work, handOver } = parts
  while (!signal.aborted && lease.holds() && !handOver.hasBegun) {
    const startedMs = clock.monotonicMs()
    if (hasTemplates(parts, state)) await pollOnce(parts, state, signal)
    const spacingMs = pollSpacingMs(state.lastPoll, state.limits, work.msSinceWork, random.unit())
    const restMs = spacingMs - (clock.monotonicMs() - startedMs)
    // Freed capacity is no reason to poll a failing source.
    if (!state.isServed) await clock.sleep(restMs, signal)
    else if (await state.pollNeeded.wait(clock, restMs, signal)) await clock.sleep(WOKEN_SPACING_MS, signal)
  }
}

/** Without templates the source is not polled: granted units could not be launched. */
function hasTemplates(
  { templatesInForce }: Pick<PollParts, 'templatesInForce'>,
  state: SourceState,
): boolean {
  const { problem } = templatesInForce
  if (problem === null) return true
  state.pollSkipped(failing(problem.code, problem.message))
  return false
}

async function pollOnce(parts: PollParts, state: SourceState, signal: AbortSignal): Promise<void> {
  const { clock, lease, handOver, inputs } = parts
  if (lease.msForCalls() < CALL_MIN_MS || handOver.msLeft < POLL_MIN_MS) {
    await clock.sleep(WOKEN_SPACING_MS, signal)
    return
  }
  const limit = state.reservationsMax(clock.monotonicMs())
  const ask = planDemand(inputs.world(), inputs.demandOf(state), inputs.demandBeside(state), limit)
  const waitSeconds = waitSecondsOf(parts, state)
  const request = { capacity: ask.capacity, maxReservations: ask.total, waitSeconds }
  state.pollStarted(ask)
  try {
    const answer = await lease.call(signal, (guarded) => state.source.poll(request, guarded))
    takeAnswer(parts, state, answer, ask)
  } catch (thrown) {
    if (!signal.aborted) notePollFailure(parts, state, thrown)
  } finally {
    state.pollEnded()
  }
}

/** How long the source may keep the poll open: no longer than the lease and this planner's time last. */
function waitSecondsOf(
  { lease, work, handOver }: Pick<PollParts, 'lease' | 'work' | 'handOver'>,
  { limits }: SourceState,
): number {
  return Math.min(
    handOver.mayLeave ? 0 : pollWaitSeconds(limits, work.msSinceWork),
    Math.floor(lease.msForCalls() / 1000) - 2,
    Math.floor(handOver.msLeft / 1000) - 1,
  )
}

/** Granted units are placed first on the capacity that the poll's plan promised. */
function takeAnswer(
  parts: AnswerParts,
  state: SourceState,
  answer: DemandAnswer,
  { promises }: DemandPlan,
): void {
  const { clock, tasks, inputs } = parts
  const { lastPoll, waiting } = state
  state.answered(answer)
  logAnswer(parts, state, answer, { lastPoll, waiting })
  if (answer.waiting.length > 0) parts.work.sawWork()
  if (answer.reservations.length > 0) tasks.run(launchGranted(parts, state, answer.reservations, promises))
  if (state.limits.warm && state.reservationsMax(clock.monotonicMs()) > 0) {
    const plan = planWarm(inputs.world(), state.id, inputs.promisedBeside(state))
    if (plan.runners.length > 0) tasks.run(launchWarm(parts, state, plan))
  }
  for (const id of answer.cancel) cancelRunner(parts, id)
  state.explained(explainWaiting(inputs.world(), state.id, state.waiting, inputs.promisedBeside(state)))
  logRefusals(parts, state, state.refusals)
}

function logAnswer(
  { log }: Pick<AnswerParts, 'log'>,
  state: SourceState,
  answer: DemandAnswer,
  before: Pick<SourceState, 'lastPoll' | 'waiting'>,
): void {
  if (before.lastPoll.kind === 'unauthorized' || before.lastPoll.kind === 'failed')
    log.emit({ name: 'source.back', source: state.id })
  if (queuedJobs(before.waiting) !== queuedJobs(answer.waiting))
    log.emit({ name: 'demand.waiting', source: state.id, jobs: queuedJobs(answer.waiting) })
  for (const reservation of answer.reservations) {
    const { id, labels, count } = reservation
    log.emit({ name: 'demand.granted', source: state.id, reservation: id, labels, count })
  }
}

function queuedJobs(waiting: readonly WaitingJobs[]): number {
  return waiting.reduce((jobs, { queued }) => jobs + queued, 0)
}

function logRefusals({ log }: Pick<Planner, 'log'>, state: SourceState, refusals: readonly Refusal[]): void {
  if (!state.isNewText(refusals.map(formatRefusal).join('\n'))) return
  for (const refusal of refusals) {
    log.emit({ name: 'demand.refused', ...refusalFields(refusal) })
  }
}

function notePollFailure(parts: Pick<Planner, 'log'>, state: SourceState, thrown: unknown): void {
  if (!(thrown instanceof SourceError)) throw thrown
  const condition = conditionAfter(thrown)
  const { kind, message, retryAfterMs } = thrown
  if (kind === 'unauthorized') {
    noteUnauthorized(parts, state, condition, message)
    return
  }
  const inRow = state.pollFailed(condition, retryAfterMs)
  parts.log.emit({ name: 'source.poll-failed', source: state.id, kind, reason: message, inRow })
}

/** A person has to act: it is logged once, with the jobs that wait for it. */
function noteUnauthorized(
  parts: Pick<Planner, 'log'>,
  state: SourceState,
  condition: SourceCondition,
  reason: string,
): void {
  const isNew = state.lastPoll.kind !== 'unauthorized'
  state.tokenRefused(condition)
  if (!isNew) return
  const message = `${reason} No new jobs are claimed until this is fixed.`
  parts.log.emit({ name: 'source.unauthorized', source: state.id, reason: message })
  const refused = state.waiting.map((jobs) => ({ labels: jobs.labels, count: ungranted(jobs) }))
  const waiting = refused.filter(({ count }) => count > 0)
  logRefusals(
    parts,
    state,
    waiting.map((jobs) => ({ ...jobs, source: state.id, reason: { code: 'claiming-stopped', reason } })),
  )
}
