import * as z from 'zod'
import { Name } from '../env.ts'

export const AgentAuthorizerEnv = z.object({ SLIPWAY_TABLE: Name })
