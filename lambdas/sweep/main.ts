import { openMeteredLog, openSession } from '../wiring.ts'
import { SweepEnv } from './env.ts'
import { sweepHandler } from './handler.ts'

const env = SweepEnv.parse(process.env)

export const handler = sweepHandler({ ...openSession(env), log: openMeteredLog(env) })
