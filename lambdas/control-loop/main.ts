import { openControlLoop } from '../wiring.ts'
import { ControlLoopEnv } from './env.ts'
import { controlLoopHandler } from './handler.ts'

export const handler = controlLoopHandler(openControlLoop(ControlLoopEnv.parse(process.env)))
