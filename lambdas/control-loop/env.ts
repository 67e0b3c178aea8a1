import * as z from 'zod'
import { BUSY_HOURS_PATTERN, MODES } from '../../core/model/run-mode.ts'
import { Build, HttpUrl, Name, Sources } from '../env.ts'

export const ControlLoopEnv = z.object({
  SLIPWAY_TABLE: Name,
  SLIPWAY_BUILD: Build,
  /** The endpoint for posting messages to agents: the https URL of the WebSocket API's stage. */
  SLIPWAY_SOCKET_ENDPOINT: HttpUrl,
  SLIPWAY_SOURCES: Sources,
  SLIPWAY_MODE: z.enum(MODES),
  /** Absent = none. */
  SLIPWAY_BUSY_HOURS: z.string().regex(BUSY_HOURS_PATTERN).optional(),
})
export type ControlLoopEnv = z.infer<typeof ControlLoopEnv>
