import type { ConnectionId, HubMessage } from '../model/index.ts'

export interface AgentGateway {
  /** `gone`: the connection surely doesn't exist any more. Throws when delivery is unknown. */
  post(connection: ConnectionId, message: HubMessage): Promise<'posted' | 'gone'>
  /** Ends a connection; one that is gone already is fine. */
  close(connection: ConnectionId): Promise<void>
}
