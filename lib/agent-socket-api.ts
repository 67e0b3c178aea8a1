import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2'
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { AgentAuthorizerEnv } from '../lambdas/agent-authorizer/env.ts'
import { AgentSocketEnv } from '../lambdas/agent-socket/env.ts'
import { acknowledge, wildcardFinding } from './acknowledge.ts'
import type { FleetTable } from './fleet-table.ts'
import { type HubContext, HubFunction } from './hub-function.ts'

const STAGE_NAME = 'hub'
/** API Gateway waits no longer than this for a function. */
const ANSWER_WITHIN = Duration.seconds(29)
/** Several hundred hosts that come back at once, or report a burst: above it agents wait and send again. */
const MESSAGES_PER_SECOND = 500
const MESSAGES_BURST = 1_000

/** POST sends a message over a connection, DELETE ends it. */
export type ConnectionCall = 'POST' | 'DELETE'

/** Where agents dial in: the WebSocket API, who lets them in, and who takes what they say. */
export class AgentSocketApi extends Construct {
  readonly api: WebSocketApi
  readonly authorizer: HubFunction
  readonly socket: HubFunction
  readonly #stage: WebSocketStage

  constructor(scope: Construct, id: string, { hub, table }: { hub: HubContext; table: FleetTable }) {
    super(scope, id)
    this.api = new WebSocketApi(this, 'Api', { description: 'Agents dial in here' })
    this.#stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.api,
      stageName: STAGE_NAME,
      autoDeploy: true,
      throttle: { rateLimit: MESSAGES_PER_SECOND, burstLimit: MESSAGES_BURST },
    })
    this.authorizer = new HubFunction(this, 'Authorizer', {
      hub,
      folder: 'agent-authorizer',
      description: 'Lets an agent in by its token',
      timeout: Duration.seconds(10),
      env: AgentAuthorizerEnv,
      environment: { SLIPWAY_TABLE: table.name },
      allowed: [table.allowHosts('GetItem')],
    })
    this.socket = new HubFunction(this, 'Socket', {
      hub,
      folder: 'agent-socket',
      description: 'Takes what agents report',
      timeout: ANSWER_WITHIN,
      env: AgentSocketEnv,
      environment: { SLIPWAY_TABLE: table.name, SLIPWAY_SOCKET_ENDPOINT: this.endpoint },
      // It reads the lease and the templates as well, and changes neither.
      allowed: [
        table.allow('GetItem'),
        table.allowHosts('PutItem', 'UpdateItem', 'Query'),
        this.allowCalls('POST', 'DELETE'),
      ],
    })
    this.#addRoutes()
    this.#acknowledgeFindings()
  }

  /** Where agents dial in. */
  get url(): string {
    return this.#stage.url
  }

  /** Where messages to agents are posted. */
  get endpoint(): string {
    return this.#stage.callbackUrl
  }

  /** Calls on the connections of this API and stage. */
  allowCalls(...calls: readonly ConnectionCall[]): PolicyStatement {
    return new PolicyStatement({
      actions: ['execute-api:ManageConnections'],
      resources: calls.map((call) => this.#connections(call)),
    })
  }

  #connections(call: ConnectionCall): string {
    return Stack.of(this).formatArn({
      service: 'execute-api',
      resource: this.api.apiId,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      resourceName: `${STAGE_NAME}/${call}/@connections/*`,
    })
  }

  #addRoutes(): void {
    const integration = (name: string) => new WebSocketLambdaIntegration(name, this.socket.function)
    this.api.addRoute('$connect', {
      integration: integration('OnConnect'),
      authorizer: new WebSocketLambdaAuthorizer('AgentToken', this.authorizer.function, {
        identitySource: ['route.request.header.Authorization'],
      }),
    })
    for (const route of [
      this.api.addRoute('$disconnect', { integration: integration('OnDisconnect') }),
      this.api.addRoute('$default', { integration: integration('OnMessage') }),
    ]) {
      acknowledge(route, {
        'AwsSolutions-APIG4':
          'A WebSocket API asks an authorizer at $connect only: messages come over a connection that was let in there, ' +
          'and each carries the host that the authorizer found.',
      })
    }
  }

  #acknowledgeFindings(): void {
    acknowledge(this.#stage, {
      'AwsSolutions-APIG1':
        "The access log of a WebSocket API needs the account's one CloudWatch role of API Gateway, which a stack can't " +
        'own beside others. The functions log what it would be read for: tokens that are refused, the hello that begins ' +
        'a session, and the end of the session in force. API Gateway itself turns away who sends no token at all.',
    })
    const stack = Stack.of(this)
    for (const call of ['POST', 'DELETE'] as const) {
      acknowledge(stack, {
        [wildcardFinding(stack, this.#connections(call))]:
          'API Gateway makes the ids of connections when agents dial in, so they have no names to grant; the API, its ' +
          'stage and the call are exact, and every connection of this API is an agent.',
      })
    }
  }
}
