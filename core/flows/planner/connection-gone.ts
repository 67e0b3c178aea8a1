import type { AgentConnection } from '../../model/index.ts'
import type { HostStore } from '../../ports/index.ts'
import { endAgentSession } from '../agent/agent-session.ts'
import type { Planner } from './planner.ts'

export type ConnectionGoneParts = Pick<Planner, 'clock' | 'log' | 'lease' | 'fleet'> & {
  readonly store: Pick<HostStore, 'endSession' | 'getHost'>
}

/** W4, a connection that is gone: ends its session, so that the host gets no runners until it connects again. */
export async function connectionGone(parts: ConnectionGoneParts, connection: AgentConnection): Promise<void> {
  if (!parts.lease.holds()) return
  await endAgentSession(parts, connection)
  const host = await parts.store.getHost(connection.host)
  if (host !== null) parts.fleet.applyHost(host)
}
