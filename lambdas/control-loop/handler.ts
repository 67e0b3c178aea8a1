import * as z from 'zod'
import { runTick, TemplateShelf } from '../../core/flows/index.ts'
import { type Mode, parseBusyHours } from '../../core/plan/index.ts'
import type {
  AgentGateway,
  Clock,
  DemandSource,
  FleetStore,
  Log,
  Randomness,
} from '../../core/ports/index.ts'

/** One invocation works this long: what is left of the 15 minutes is for handing over. */
const WORK_MAX_MS = 14 * 60_000
/** Before the function's own end: winding down takes 20 s at most, and a store in trouble some more. */
const HAND_OVER_MARGIN_MS = 45_000
/** Whatever still runs this long before the end is aborted: nothing may go on after the function returned (L8). */
const STOP_MARGIN_MS = 5_000

export interface ControlLoopParts {
  readonly store: FleetStore
  readonly gateway: AgentGateway
  /** New ones for each run: a frozen function keeps its memory (L9), and what a source remembers holds for one run. */
  readonly openSources: () => readonly DemandSource[]
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  readonly build: string
  readonly mode: Mode
  /** `1-5 07:00-19:00`; null = none. */
  readonly busyHours: string | null
}

/** The part of Lambda's context that the loop depends on. */
export interface TickContext {
  readonly awsRequestId: string
  getRemainingTimeInMillis(): number
}

/** What a schedule sends. One that names no time is a person's, who means now. */
const ScheduledEvent = z.object({ time: z.iso.datetime({ offset: true }).optional() })

/** The control loop as a function that a schedule starts once a minute: every invocation begins with what is stored. */
export function controlLoopHandler(parts: ControlLoopParts) {
  const { build, mode, openSources, busyHours, ...ports } = parts
  const rule = { mode, busyHours: busyHours === null ? null : parseBusyHours(busyHours) }
  const { clock, log } = ports
  const shelf = new TemplateShelf(ports)
  return async (event: unknown, context: TickContext): Promise<void> => {
    const { time } = ScheduledEvent.parse(event ?? {})
    const dueAt = time === undefined ? clock.now() : Date.parse(time)
    const remainingMs = context.getRemainingTimeInMillis()
    const over = new AbortController()
    const stop = new AbortController()
    const hub = {
      ...ports,
      sources: openSources(),
      templates: () => shelf.templates,
      templatesInForce: shelf,
    }
    const tick = {
      // A repeat of an invocation has its id as well, and must not take its lease over.
      holder: `${context.awsRequestId}-${hexOf(ports.random.bytes(4))}`,
      build,
      dueAt,
      rule,
      workMs: Math.max(0, Math.min(WORK_MAX_MS, remainingMs - HAND_OVER_MARGIN_MS)),
      stop: stop.signal,
    }
    const timer = clock.sleep(remainingMs - STOP_MARGIN_MS, over.signal).then(() => stop.abort())
    try {
      log.emit({ name: 'tick.ended', end: await runTick(hub, tick), lateMs: clock.now() - dueAt })
    } finally {
      over.abort()
      await timer
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
