import { openLog, openSession } from '../wiring.ts'
import { AgentSocketEnv } from './env.ts'
import { agentSocketHandler } from './handler.ts'

const session = openSession(AgentSocketEnv.parse(process.env))

export const handler = agentSocketHandler({ ...session, log: openLog() })
