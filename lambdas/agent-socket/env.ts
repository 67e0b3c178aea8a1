import * as z from 'zod'
import { HttpsUrl, Name } from '../env.ts'

export const AgentSocketEnv = z.object({
  SLIPWAY_TABLE: Name,
  SLIPWAY_SOCKET_ENDPOINT: HttpsUrl,
})
