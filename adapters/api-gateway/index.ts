import {
  type ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { type ConnectionId, SlipwayError } from '../../core/model/index.ts'
import type { AgentGateway } from '../../core/ports/index.ts'
import { encodeHubMessage, splitHubMessage } from '../../protocol/agent.ts'

/** Sends to agents through API Gateway's connection management API, or a local gateway with the same API. */
export function createAgentGateway(client: ApiGatewayManagementApiClient): AgentGateway {
  return {
    async post(connection, message) {
      for (const [index, part] of splitHubMessage(message).entries()) {
        if (await deliver(client, connection, encodeHubMessage(part))) continue
        if (index === 0) return 'gone'
        const what = `The connection closed after ${index} parts of a message. The agent may act on those parts.`
        throw new SlipwayError('delivery-unknown', what)
      }
      return 'posted'
    },
    async close(connection) {
      await unlessGone(client.send(new DeleteConnectionCommand({ ConnectionId: connection })))
    },
  }
}

/** False if the connection is gone and the text was certainly not delivered. */
async function deliver(
  client: ApiGatewayManagementApiClient,
  connection: ConnectionId,
  text: string,
): Promise<boolean> {
  const Data = new TextEncoder().encode(text)
  try {
    await client.send(new PostToConnectionCommand({ ConnectionId: connection, Data }))
    return true
  } catch (thrown) {
    if (!(thrown instanceof GoneException)) throw thrown
    // The client has retried: an earlier attempt, whose answer was lost, may have delivered the text.
    if ((thrown.$metadata.attempts ?? 1) === 1) return false
    const what = 'The connection is gone, but an earlier attempt may have delivered the message.'
    throw new SlipwayError('delivery-unknown', what, { cause: thrown })
  }
}

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (thrown) {
    if (!(thrown instanceof GoneException)) throw thrown
  }
}
