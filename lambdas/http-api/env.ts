import * as z from 'zod'
import { Build, HttpUrl, Name, Sources } from '../env.ts'

export const HttpApiEnv = z.object({
  SLIPWAY_TABLE: Name,
  SLIPWAY_BUILD: Build,
  SLIPWAY_SOCKET_ENDPOINT: HttpUrl,
  /** The URL that agents connect to, part of the answer when a host is added. */
  SLIPWAY_AGENT_URL: z.url({ protocol: /^wss?$/ }),
  SLIPWAY_SOURCES: Sources,
})
