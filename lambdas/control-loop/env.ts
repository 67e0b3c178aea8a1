import * as z from 'zod'
import { Build, HttpUrl, Name, Sources } from '../env.ts'

/** How often the loop runs while no job waits. */
export const MODES = ['auto', 'continuous', 'economy'] as const

/** `1-5 07:00-19:00`: days of the week (1 = Monday) and hours, UTC, in which `auto` runs without pause. */
export const BUSY_HOURS = /^[1-7](?:-[1-7])? (?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/

export const ControlLoopEnv = z.object({
  SLIPWAY_TABLE: Name,
  SLIPWAY_BUILD: Build,
  /** The endpoint for posting messages to agents: the https URL of the WebSocket API's stage. */
  SLIPWAY_SOCKET_ENDPOINT: HttpUrl,
  SLIPWAY_SOURCES: Sources,
  SLIPWAY_MODE: z.enum(MODES),
  /** Absent = none. */
  SLIPWAY_BUSY_HOURS: z.string().regex(BUSY_HOURS).optional(),
})
export type ControlLoopEnv = z.infer<typeof ControlLoopEnv>
