import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AgentAuthorizerEvent } from '../../lambdas/agent-authorizer/handler.ts'
import type { AgentSocketEvent } from '../../lambdas/agent-socket/handler.ts'

const API_ID = 'local'
const STAGE = 'local'
const EVENT_TYPES = { $connect: 'CONNECT', $default: 'MESSAGE', $disconnect: 'DISCONNECT' } as const

export type Route = keyof typeof EVENT_TYPES

/** The event that API Gateway passes to a REQUEST authorizer of `$connect`. */
export function authorizerEvent(request: IncomingMessage): AgentAuthorizerEvent {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : value,
    ]),
  )
  return {
    type: 'REQUEST',
    methodArn: `arn:aws:execute-api:local:000000000000:${API_ID}/${STAGE}/$connect`,
    headers,
  }
}

/** The event that API Gateway passes to the handler of a route. `authorizer`: the context that the authorizer returned. */
export function socketEvent(
  routeKey: Route,
  connectionId: string,
  authorizer: Readonly<Record<string, unknown>>,
  body: string | undefined,
): AgentSocketEvent {
  const now = Date.now()
  const requestId = randomUUID()
  return {
    requestContext: {
      routeKey,
      messageId: requestId,
      eventType: EVENT_TYPES[routeKey],
      extendedRequestId: requestId,
      requestTime: new Date(now).toISOString(),
      messageDirection: 'IN',
      stage: STAGE,
      connectedAt: now,
      requestTimeEpoch: now,
      requestId,
      domainName: 'localhost',
      connectionId,
      apiId: API_ID,
      authorizer,
    },
    isBase64Encoded: false,
    ...(body === undefined ? {} : { body }),
  }
}
