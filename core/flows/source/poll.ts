import { type DemandAnswer, type Refusal, SOURCE_PACE, type WaitingJobs } from '../../model/index.ts'
import {
  explainWaiting,
  type Hold,
  holdSeconds,
  planAsk,
  planWarm,
  pollSpacingMs,
  sayRefusal,
  ungranted,
} from '../../plan/index.ts'
import { SourceError } from '../../ports/index.ts'
import { launchGranted, launchWarm } from '../launch/claim.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'
import { cancelRunner } from './order-stop.ts'
import { refusalFields } from '../source-events.ts'
import { failing, stateAfter } from './publish-status.ts'

/** Polls woken by freed room keep this distance, so that a hundred exits don't make a hundred polls. */
const WOKEN_SPACING_MS = 100
/** Below this there is no use in starting a poll: the lease has to be renewed first. */
const CALL_MIN_MS = 3_000
/** A poll that is under way at the hand-over would hold it up. */
const POLL_MIN_MS = 1_000

/** Paces the first call, while the source's own limits are not known yet. */
const OPENING_PACE = { ...SOURCE_PACE, pollWaitSecondsMax: 0 }

/** Presents our token until the source accepts it; false when the signal aborts before. */
export async function openSource(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<boolean> {
  const { clock, random } = loop.hub
  while (!signal.aborted) {
    try {
      desk.open(await loop.lease.call(signal, (guarded) => desk.source.authenticate(guarded)))
      desk.last = { kind: 'none' }
      return true
    } catch (thrown) {
      if (signal.aborted) return false
      notePollFailure(loop, desk, thrown)
      await clock.sleep(pollSpacingMs(desk.last, OPENING_PACE, loop.msSinceWork, random.unit()), signal)
    }
  }
  return false
}

/** Polls one source until the signal aborts. A failing source delays nobody else. */
export async function pollSource(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<void> {
  const { clock, random } = loop.hub
  while (!signal.aborted && loop.lease.holds() && !loop.isLeaving) {
    const startedMs = clock.monotonicMs()
    if (hasTemplates(loop, desk)) await pollOnce(loop, desk, signal)
    const spacingMs = pollSpacingMs(desk.last, desk.limits, loop.msSinceWork, random.unit())
    const restMs = spacingMs - (clock.monotonicMs() - startedMs)
    // Room is not what a failing source is waited for.
    if (!desk.isServed) await clock.sleep(restMs, signal)
    else if (await desk.pollNeeded.wait(clock, restMs, signal)) await clock.sleep(WOKEN_SPACING_MS, signal)
  }
}

/** Without templates nothing is asked for: what was granted could not be launched. */
function hasTemplates(loop: Loop, desk: SourceDesk): boolean {
  const { problem } = loop.hub.templatesInForce
  if (problem === null) return true
  desk.asking = failing(problem.code, problem.message)
  desk.waiting = []
  desk.last = { kind: 'empty', inRow: 0 }
  return false
}

async function pollOnce(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<void> {
  const { lease } = loop
  if (lease.msForCalls() < CALL_MIN_MS || loop.msToHandOver < POLL_MIN_MS) {
    await loop.hub.clock.sleep(WOKEN_SPACING_MS, signal)
    return
  }
  const limit = desk.grantsMax(loop.hub.clock.monotonicMs())
  const ask = planAsk(loop.world(), loop.demandOf(desk), loop.othersOf(desk), limit)
  desk.starved =
    ask.total < desk.waiting.reduce((jobs, waiting) => jobs + ungranted(waiting), 0) || ask.total === 0
  desk.holds = ask.holds
  const waitSeconds = Math.min(
    loop.mayLeave ? 0 : holdSeconds(desk.limits, loop.msSinceWork),
    Math.floor(lease.msForCalls() / 1000) - 2,
    Math.floor(loop.msToHandOver / 1000) - 1,
  )
  const request = { capacity: ask.capacity, maxReservations: ask.total, waitSeconds }
  desk.polling = true
  try {
    const answer = await lease.call(signal, (guarded) => desk.source.poll(request, guarded))
    desk.holds = []
    takeAnswer(loop, desk, answer, ask.holds)
  } catch (thrown) {
    desk.holds = []
    if (!signal.aborted) notePollFailure(loop, desk, thrown)
  } finally {
    desk.polling = false
  }
}

/** `promised` is the room that was asked for: what is granted goes there. */
function takeAnswer(loop: Loop, desk: SourceDesk, answer: DemandAnswer, promised: readonly Hold[]): void {
  const before = { last: desk.last, waiting: desk.waiting }
  desk.waiting = answer.waiting
  desk.asking = { kind: 'ok' }
  desk.last =
    answer.reservations.length > 0
      ? { kind: 'granted' }
      : { kind: 'empty', inRow: before.last.kind === 'empty' ? before.last.inRow + 1 : 0 }
  if (before.last.kind === 'unauthorized' || before.last.kind === 'failed')
    loop.hub.log.emit({ name: 'source.back', source: desk.id })
  if (answer.waiting.length > 0) loop.sawWork()
  if (sum(before.waiting) !== sum(answer.waiting))
    loop.hub.log.emit({ name: 'demand.waiting', source: desk.id, jobs: sum(answer.waiting) })
  for (const reservation of answer.reservations) {
    const { id, labels, count } = reservation
    loop.hub.log.emit({ name: 'demand.granted', source: desk.id, reservation: id, labels, count })
  }
  if (answer.reservations.length > 0) {
    loop.tasks.run(launchGranted(loop, desk, answer.reservations, promised))
  }
  if (desk.limits.warm && desk.grantsMax(loop.hub.clock.monotonicMs()) > 0) {
    const plan = planWarm(loop.world(), desk.id, loop.holdsBeside(desk))
    if (plan.runners.length > 0) loop.tasks.run(launchWarm(loop, desk, plan))
  }
  for (const id of answer.cancel) cancelRunner(loop, id)
  sayRefusals(loop, desk)
}

function sum(waiting: readonly WaitingJobs[]): number {
  return waiting.reduce((jobs, { queued }) => jobs + queued, 0)
}

function sayRefusals(loop: Loop, desk: SourceDesk): void {
  desk.refusals = explainWaiting(loop.world(), desk.id, desk.waiting, loop.holdsBeside(desk))
  sayOnce(loop, desk, desk.refusals)
}

function sayOnce(loop: Loop, desk: SourceDesk, refusals: readonly Refusal[]): void {
  const said = refusals.map(sayRefusal).join('\n')
  if (said === desk.refusalsSaid) return
  desk.refusalsSaid = said
  for (const refusal of refusals) {
    loop.hub.log.emit({ name: 'demand.refused', ...refusalFields(refusal) })
  }
}

function notePollFailure(loop: Loop, desk: SourceDesk, thrown: unknown): void {
  desk.asking = stateAfter(thrown)
  if (!(thrown instanceof SourceError)) return
  const { kind, message, retryAfterMs } = thrown
  if (kind === 'unauthorized') {
    noteUnauthorized(loop, desk, message)
    return
  }
  const inRow = desk.last.kind === 'failed' ? desk.last.inRow + 1 : 1
  loop.hub.log.emit({ name: 'source.poll-failed', source: desk.id, kind, reason: message, inRow })
  desk.last = { kind: 'failed', inRow, retryAfterMs }
}

/** A person has to act: it is said once, with the jobs that wait for it. */
function noteUnauthorized(loop: Loop, desk: SourceDesk, reason: string): void {
  if (desk.last.kind !== 'unauthorized') {
    const message = `${reason} No new job is claimed until then.`
    loop.hub.log.emit({ name: 'source.unauthorized', source: desk.id, reason: message })
    const refused = desk.waiting.map((jobs) => ({ labels: jobs.labels, count: ungranted(jobs) }))
    const waiting = refused.filter(({ count }) => count > 0)
    sayOnce(
      loop,
      desk,
      waiting.map((jobs) => ({ ...jobs, source: desk.id, reason: { code: 'claiming-stopped', reason } })),
    )
  }
  desk.last = { kind: 'unauthorized' }
}
