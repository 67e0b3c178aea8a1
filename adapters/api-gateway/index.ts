import {
  type ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { type ConnectionId, SlipwayError } from '../../core/model/index.ts'
import type { AgentGateway } from '../../core/ports/index.ts'
import { encodeHubMessage, splitHubMessage } from '../../protocol/agent.ts'

/** Reaches agents through API Gateway's connection management API, or a local gateway that speaks the same. */
export function createAgentGateway(client: ApiGatewayManagementApiClient): AgentGateway {
  return {
    async post(connection, message) {
      for (const [index, part] of splitHubMessage(message).entries()) {
        if (await deliver(client, connection, encodeHubMessage(part))) continue
        if (index === 0) return 'gone'
        const what = `The connection ended after ${index} parts of a message: some of it may be obeyed.`
        throw new SlipwayError('delivery-unknown', what)
      }
      return 'posted'
    },
    async close(connection) {
      await unlessGone(client.send(new DeleteConnectionCommand({ ConnectionId: connection })))
    },
  }
}

/** False: the connection is gone, and the text surely didn't arrive. */
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
    // The client tried again: the answer that it missed may have said that the text was delivered.
    if ((thrown.$metadata.attempts ?? 1) === 1) return false
    const what = 'The connection is gone, but an earlier attempt to send may have got through.'
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
