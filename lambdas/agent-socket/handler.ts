import type {
  APIGatewayProxyWebsocketEventV2WithRequestContext,
  APIGatewayEventWebsocketRequestContextV2,
} from 'aws-lambda'
import { endAgentSession, type SessionPorts, takeAgentMessage } from '../../core/flows/index.ts'
import { type AgentConnection, connectionId, hostId, SlipwayError } from '../../core/model/index.ts'
import { decodeAgentMessage } from '../../protocol/agent.ts'
import type { AgentAuthorizerContext } from '../agent-authorizer/handler.ts'

export type AgentSocketEvent = APIGatewayProxyWebsocketEventV2WithRequestContext<
  APIGatewayEventWebsocketRequestContextV2 & {
    authorizer?: { readonly [K in keyof AgentAuthorizerContext]?: unknown }
  }
>

/** The routes of the agents' WebSocket: `$connect`, `$default` (a message) and `$disconnect` (ends the session). */
export function agentSocketHandler(ports: SessionPorts) {
  return async (event: AgentSocketEvent): Promise<{ statusCode: number }> => {
    const from = caller(event)
    switch (event.requestContext.routeKey) {
      case '$connect':
        // Nothing can be sent to the connection before this returns, so the session starts at the hello.
        return { statusCode: 200 }
      case '$disconnect':
        await endAgentSession(ports, from)
        return { statusCode: 200 }
      default:
        await takeText(ports, from, event.body ?? '')
        return { statusCode: 200 }
    }
  }
}

function caller({ requestContext }: AgentSocketEvent): AgentConnection {
  const host = requestContext.authorizer?.hostId
  if (typeof host !== 'string')
    throw new SlipwayError(
      'agent-unauthorized',
      'The event has no host: the authorizer is not attached to $connect.',
    )
  return { host: hostId(host), connection: connectionId(requestContext.connectionId) }
}

async function takeText(ports: SessionPorts, from: AgentConnection, text: string): Promise<void> {
  try {
    await takeAgentMessage(ports, from, decodeAgentMessage(text))
  } catch (thrown) {
    if (!(thrown instanceof SlipwayError) || !isRefusal(thrown.code)) throw thrown
    ports.log.emit({
      name: 'agent.message-refused',
      host: from.host,
      code: thrown.code,
      reason: thrown.message,
    })
    const { code, message } = { code: thrown.code, message: thrown.message }
    await ports.gateway.post(from.connection, {
      type: 'goodbye',
      code,
      message,
      retry: code === 'message-invalid',
    })
  }
}

function isRefusal(code: string): code is 'message-invalid' | 'protocol-unsupported' {
  return code === 'message-invalid' || code === 'protocol-unsupported'
}
