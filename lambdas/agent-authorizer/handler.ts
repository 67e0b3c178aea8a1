import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda'
import { type HostId, Secret } from '../../core/model/index.ts'
import type { FleetStore, Log } from '../../core/ports/index.ts'
import { hostOfAgentToken, isAgentToken } from '../../platform/agent-token.ts'

/** The part of API Gateway's event that the authorizer uses. */
export type AgentAuthorizerEvent = Pick<APIGatewayRequestAuthorizerEvent, 'type' | 'methodArn' | 'headers'>

/** Passed by API Gateway to the other routes: the only trusted source of the caller's host. */
export interface AgentAuthorizerContext {
  readonly hostId: HostId
}

/** Admits an agent to `$connect` by the token in its Authorization header. */
export function agentAuthorizer({ store, log }: { store: FleetStore; log: Log }) {
  return async (event: AgentAuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
    const token = bearerToken(event.headers ?? {})
    const id = token === null ? null : hostOfAgentToken(token)
    const host = id === null ? null : await store.getHost(id)
    const admitted = token !== null && host !== null && isAgentToken(token, host.tokenHash)
    if (!admitted) log.emit({ name: 'agent.refused', host: id, known: host !== null })
    return policy(event.methodArn, admitted ? host.id : null)
  }
}

function bearerToken(headers: Readonly<Record<string, string | undefined>>): Secret | null {
  const entry = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization')
  const match = /^Bearer (?<token>\S+)$/.exec(entry?.[1] ?? '')
  const token = match?.groups?.['token']
  return token === undefined ? null : new Secret(token)
}

function policy(resource: string, host: HostId | null): APIGatewayAuthorizerResult {
  return {
    principalId: host ?? 'nobody',
    policyDocument: {
      Version: '2012-10-17',
      Statement: [
        { Action: 'execute-api:Invoke', Effect: host === null ? 'Deny' : 'Allow', Resource: resource },
      ],
    },
    ...(host === null ? {} : { context: { hostId: host } }),
  }
}
