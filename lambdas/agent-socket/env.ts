import * as z from 'zod'
import { HttpUrl, Name } from '../env.ts'

export const AgentSocketEnv = z.object({
  SLIPWAY_TABLE: Name,
  SLIPWAY_SOCKET_ENDPOINT: HttpUrl,
})
