import * as z from 'zod'
import { Name } from '../env.ts'

export const SweepEnv = z.object({ SLIPWAY_TABLE: Name })
