import {
  canonicalLabels,
  CONCURRENCY_MAX,
  type DemandAnswer,
  type EpochMs,
  type PollRequest,
  type Reservation,
  reservationId,
  type RunnerId,
  runnerId,
  type WaitingJobs,
} from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'
import type { Answered, Call } from './api.ts'
import { lifetimeFromSendMs } from './expiry.ts'
import { quote } from './redact.ts'
import type { Session } from './session.ts'
import { advertise, within } from './units.ts'
import { POLL_WAIT_SECONDS_MAX, PollAnswer, RESERVATIONS_MAX, TEMPLATES_MAX } from './wire.ts'

/** Time for a poll beyond its hold, as for any other call; a longer poll hangs (R6, L7). */
export const POLL_MARGIN_MS = 10_000

/**
 * One poll, never repeated: a lost answer (`unknown-outcome`) or an invalid one (`protocol`) may have contained grants,
 * whose units stay blocked until they expire.
 */
export async function poll(
  session: Session,
  request: PollRequest,
  signal: AbortSignal,
): Promise<DemandAnswer> {
  const { api, clock, limits } = session
  const waitSeconds = within(request.waitSeconds, Math.min(limits.pollWaitSecondsMax, POLL_WAIT_SECONDS_MAX))
  const deadlineMs = waitSeconds * 1000 + POLL_MARGIN_MS
  const call: Call<PollAnswer> = {
    does: 'poll for demand',
    method: 'POST',
    path: '/provisioners/demand/poll',
    body: toBody(session, request, waitSeconds, deadlineMs),
    answer: PollAnswer,
    effect: 'once',
    deadlineMs,
  }
  const answered = await api.ask(call, signal)
  const elapsedMs = clock.monotonicMs() - answered.sentAtMonotonicMs
  const reservations = readReservations(session, answered, clock.now() - elapsedMs)
  return {
    reservations,
    waiting: mergeWaiting(answered.value.stats),
    cancel: readCancels(session, answered.value.terminate_provider_runner_ids),
  }
}

function toBody(session: Session, request: PollRequest, waitSeconds: number, deadlineMs: number): unknown {
  const { generation, limits } = session
  if (request.capacity.length > limits.templatesMax)
    throw new SourceError(
      'protocol',
      `${request.capacity.length} templates are offered to ${session.api.url}, which accepts at most ${TEMPLATES_MAX[generation]} (${generation}). Remove templates, or restrict some of them to other \`sources\`.`,
    )
  const asked = generation === 'v1' ? askV1(session, request, deadlineMs) : askPlainly(request)
  return {
    wait_seconds: waitSeconds,
    max_reservations: Math.min(asked.maxReservations, limits.reservationsMax),
    ...(generation === 'v2' ? { reservation_ttl_seconds: limits.reservationTtlMs / 1000 } : {}),
    templates: request.capacity.map(({ template, labels, starting, running }, index) => ({
      template_key: template,
      labels,
      available_slots: asked.slots[index] ?? 0,
      starting: within(starting, CONCURRENCY_MAX),
      running: within(running, CONCURRENCY_MAX),
    })),
  }
}

/** v2 subtracts only units that are not runners yet, so the free slots are advertised unchanged. */
function askPlainly(request: PollRequest): ReturnType<typeof advertise> {
  return {
    slots: request.capacity.map(({ available }) => within(available, CONCURRENCY_MAX)),
    maxReservations: within(request.maxReservations, RESERVATIONS_MAX),
  }
}

function askV1(
  { clock, units }: Session,
  request: PollRequest,
  deadlineMs: number,
): ReturnType<typeof advertise> {
  const nowMs = clock.monotonicMs()
  // The server may grant at any time during the hold: a unit that expires during it must not be added.
  return advertise(request, units.countedUntil(nowMs + deadlineMs, nowMs))
}

/** `sentAt`: when the poll was sent, by the hub's current wall clock (it may have been set since). */
function readReservations(
  session: Session,
  answered: Answered<PollAnswer>,
  sentAt: EpochMs,
): readonly Reservation[] {
  return answered.value.reservations.map((granted) => {
    const id = reservationId(granted.reservation_id)
    const lifetimeMs = lifetimeFromSendMs({
      ttlMs: session.limits.reservationTtlMs,
      expiresAt: granted.expires_at,
      answeredAt: answered.answeredAt,
    })
    session.units.granted(id, answered.sentAtMonotonicMs + lifetimeMs)
    const reservation = {
      id,
      labels: canonicalLabels(granted.labels),
      count: granted.count,
      expiresAt: sentAt + lifetimeMs,
    }
    if (reservation.expiresAt <= session.clock.now())
      session.log.emit({
        name: 'source.reservation.dead-on-arrival',
        source: session.id,
        reservation: id,
        lifetimeMs,
      })
    return reservation
  })
}

/** Merges rows by label set: with an installation token there is one row per workspace and label set. */
function mergeWaiting(stats: PollAnswer['stats']): readonly WaitingJobs[] {
  const merged = new Map<string, WaitingJobs>()
  for (const row of stats) {
    const labels = canonicalLabels(row.labels)
    const same = merged.get(labels.join())
    const oldest = [row.oldest_queued_at, same?.oldestQueuedAt].filter((at) => typeof at === 'number')
    merged.set(labels.join(), {
      labels,
      queued: row.queued + (same?.queued ?? 0),
      reserved: row.reserved + (same?.reserved ?? 0),
      oldestQueuedAt: oldest.length === 0 ? null : Math.min(...oldest),
    })
  }
  return [...merged.values()]
}

/** Ids that Slipway didn't choose (another client may use the same token) are logged once and ignored. */
function readCancels(session: Session, ids: readonly string[]): readonly RunnerId[] {
  return ids.flatMap((text) => {
    try {
      return [runnerId(text)]
    } catch {
      if (session.foreignIds.add(text))
        session.log.emit({
          name: 'source.cancel.ignored',
          source: session.id,
          id: quote(text),
          reason: 'It is not a runner id of this hub.',
        })
      return []
    }
  })
}
