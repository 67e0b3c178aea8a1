import { openSweep } from '../wiring.ts'
import { SweepEnv } from './env.ts'
import { sweepHandler } from './handler.ts'

export const handler = sweepHandler(openSweep(SweepEnv.parse(process.env)))
