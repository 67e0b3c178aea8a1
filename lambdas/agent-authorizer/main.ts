import { openLog, openStore } from '../wiring.ts'
import { AgentAuthorizerEnv } from './env.ts'
import { agentAuthorizer } from './handler.ts'

const store = openStore(AgentAuthorizerEnv.parse(process.env))

export const handler = agentAuthorizer({ store, log: openLog() })
