import * as z from 'zod'
import { runScheduled, StoredTemplates } from '../../core/flows/index.ts'
import { type Mode, parseBusyHours } from '../../core/model/index.ts'
import type {
  AgentGateway,
  Clock,
  DemandSource,
  FleetStore,
  Log,
  Randomness,
} from '../../core/ports/index.ts'

/** How long one invocation works; the rest of the 15 minutes is for the hand-over. */
const WORK_MAX_MS = 14 * 60_000
/** Time before the function's timeout: draining takes at most 20 s, or more if the store is slow. */
const HAND_OVER_MARGIN_MS = 45_000
/** Work that still runs this long before the timeout is aborted: nothing may continue after the function returned (L8). */
const STOP_MARGIN_MS = 5_000

export interface ControlLoopParts {
  readonly store: FleetStore
  readonly gateway: AgentGateway
  /** Called for each run: a frozen function keeps its memory (L9), but the state of a source is valid for one run only. */
  readonly openSources: () => readonly DemandSource[]
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  readonly build: string
  readonly mode: Mode
  /** `1-5 07:00-19:00`; null = none. */
  readonly busyHours: string | null
}

/** The part of Lambda's context that the loop uses. */
export interface TickContext {
  readonly awsRequestId: string
  getRemainingTimeInMillis(): number
}

/** The event of the schedule. Without a time it was sent by a person, and means now. */
const ScheduledEvent = z.object({ time: z.iso.datetime({ offset: true }).optional() })

/** The control loop as a function that a schedule starts every minute. Each invocation starts from the stored state. */
export function controlLoopHandler(parts: ControlLoopParts) {
  const { build, mode, openSources, busyHours, ...ports } = parts
  const rule = { mode, busyHours: busyHours === null ? null : parseBusyHours(busyHours) }
  const { clock, log } = ports
  const stored = new StoredTemplates(ports)
  return async (event: unknown, context: TickContext): Promise<void> => {
    const { time } = ScheduledEvent.parse(event ?? {})
    const dueAt = time === undefined ? clock.now() : Date.parse(time)
    const remainingMs = context.getRemainingTimeInMillis()
    const over = new AbortController()
    const stop = new AbortController()
    const hub = {
      ...ports,
      sources: openSources(),
      templates: () => stored.templates,
      templatesInForce: stored,
    }
    const tick = {
      // A retried invocation has the same request id and must not take over the lease of the first one.
      holder: `${context.awsRequestId}-${hexOf(ports.random.bytes(4))}`,
      build,
      dueAt,
      rule,
      workMs: Math.max(0, Math.min(WORK_MAX_MS, remainingMs - HAND_OVER_MARGIN_MS)),
      stop: stop.signal,
    }
    const timer = clock.sleep(remainingMs - STOP_MARGIN_MS, over.signal).then(() => stop.abort())
    try {
      log.emit({ name: 'tick.ended', end: await runScheduled(hub, tick), lateMs: clock.now() - dueAt })
    } finally {
      over.abort()
      await timer
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
