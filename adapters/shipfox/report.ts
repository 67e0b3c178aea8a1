import { truncate, type RunnerReport, toPrintableLine } from '../../core/model/index.ts'
import type { Call } from './api.ts'
import { type Refusal, refusalError } from './failures.ts'
import type { Session } from './session.ts'
import { BODY_MAX_BYTES, REASON_MAX_CHARS, REPORT_EVENTS_MAX, ReportAnswer, ReportEvent } from './wire.ts'
import type * as z from 'zod'

const TERMINAL: ReadonlySet<RunnerReport['state']> = new Set(['stopped', 'failed', 'terminated'])
/** Calls to find invalid events in one report: enough to find about five among a thousand. */
const REFUSALS_MAX = 64

/**
 * Idempotent, and in order. L14: a report that the server can never accept is logged and left out, because it would
 * block all others.
 */
export async function report(
  session: Session,
  reports: readonly RunnerReport[],
  signal: AbortSignal,
): Promise<void> {
  const events = reports.flatMap((one) => {
    const checked = ReportEvent.safeParse(toEvent(one, session.options.providerKind))
    if (checked.success) return [checked.data]
    const [issue] = checked.error.issues
    const reason = `${issue?.path.join('.')}: ${issue?.message}`
    session.log.emit({
      name: 'source.report.unsendable',
      source: session.id,
      runner: one.id,
      state: one.state,
      reason,
    })
    return []
  })
  const budget = { refusals: REFUSALS_MAX }
  for (const batch of batchEvents(events)) await sendBatch(session, batch, budget, signal)
}

/** The event of a report, not yet validated. */
export function toEvent(runner: RunnerReport, providerKind: string | undefined): unknown {
  const reason = truncateReason(runner.reason ?? '')
  return {
    provider_runner_id: runner.id,
    ...(runner.reservation === null ? {} : { reservation_id: runner.reservation }),
    template_key: runner.template,
    labels: runner.labels,
    state: runner.state,
    ...(reason === '' ? {} : { reason }),
    reported_at: toInstant(runner.at),
    ...(providerKind === undefined ? {} : { provider_kind: providerKind }),
  }
}

/** The server's database cannot store NUL, and other control characters break log lines. */
export function truncateReason(reason: string): string {
  return truncate(toPrintableLine(reason).trim().toWellFormed(), REASON_MAX_CHARS)
}

/** ISO time that ends in Z. An invalid time gives a text that the validation of the event rejects. */
function toInstant(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString()
}

/**
 * Splits events into batches that the server accepts: by count, by bytes, and at most one event per runner. Of two
 * events of a runner in one batch, the server would drop one, and with it the time at which a state was first seen.
 */
export function batchEvents(events: readonly ReportEvent[]): readonly (readonly ReportEvent[])[] {
  const batches: ReportEvent[][] = []
  let open: ReportEvent[] = []
  let bytes = 0
  let runners = new Set<string>()
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event)) + 1
    const full =
      open.length === 0 ||
      open.length === REPORT_EVENTS_MAX ||
      bytes + size > BODY_MAX_BYTES ||
      runners.has(event.provider_runner_id)
    if (full) {
      open = []
      batches.push(open)
      bytes = Buffer.byteLength('{"events":[]}')
      runners = new Set()
    }
    open.push(event)
    bytes += size
    runners.add(event.provider_runner_id)
  }
  return batches
}

async function sendBatch(
  session: Session,
  events: readonly ReportEvent[],
  budget: { refusals: number },
  signal: AbortSignal,
): Promise<void> {
  const call: Call<z.infer<typeof ReportAnswer>> = {
    does: 'report runners',
    method: 'POST',
    path: '/provisioners/runner-instances/report',
    body: { events },
    answer: ReportAnswer,
    effect: 'repeatable',
  }
  let unitsKept = false
  try {
    const result = await session.api.tryAsk(call, signal)
    if ('refusal' in result) {
      mayIsolate(session, call, result.refusal, budget)
      await sendByHalves(session, events, result.refusal, budget, signal)
    } else unitsKept = result.answered.value.reservations_released === 0 && !result.answered.repeated
  } finally {
    if (!unitsKept) forgetUnits(session, events)
  }
}

/** Throws the refusal unless it is about single events, which can be isolated. */
function mayIsolate(
  { api }: Session,
  call: Call<unknown>,
  refusal: Refusal,
  budget: { refusals: number },
): void {
  budget.refusals -= 1
  const isAboutEvents = refusal.status === 400 && refusal.code === 'validation-error'
  if (!isAboutEvents || budget.refusals <= 0) throw refusalError(refusal, call, api.url)
}

/** L14: isolates an event that the server finds invalid by bisection and leaves it out, so that it blocks no others. */
async function sendByHalves(
  session: Session,
  events: readonly ReportEvent[],
  refusal: Refusal,
  budget: { refusals: number },
  signal: AbortSignal,
): Promise<void> {
  const [first] = events
  if (events.length === 1 && first !== undefined) {
    const { provider_runner_id: runner, state } = first
    session.log.emit({
      name: 'source.report.unsendable',
      source: session.id,
      runner,
      state,
      reason: refusal.message ?? `The server answered ${refusal.status}.`,
    })
    return
  }
  const middle = Math.ceil(events.length / 2)
  await sendBatch(session, events.slice(0, middle), budget, signal)
  await sendBatch(session, events.slice(middle), budget, signal)
}

/** The server releases the unit of a runner that ended before it registered; otherwise it keeps the unit. */
function forgetUnits({ units }: Session, events: readonly ReportEvent[]): void {
  for (const event of events) if (TERMINAL.has(event.state)) units.returned(event.provider_runner_id)
}
