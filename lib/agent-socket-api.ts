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
/** API Gateway waits at most this long for a function. */
const ANSWER_WITHIN = Duration.seconds(29)
/** Enough for several hundred hosts that reconnect at once or report a burst; above it agents wait and retry. */
const MESSAGES_PER_SECOND = 500
const MESSAGES_BURST = 1_000

/** POST sends a message over a connection, DELETE closes it. */
export type ConnectionCall = 'POST' | 'DELETE'

/** The WebSocket API that agents connect to, its authorizer, and the function that handles their messages. */
export class AgentSocketApi extends Construct {
  readonly api: WebSocketApi
  readonly authorizer: HubFunction
  readonly socket: HubFunction
  readonly #stage: WebSocketStage

  constructor(scope: Construct, id: string, { hub, table }: { hub: HubContext; table: FleetTable }) {
    super(scope, id)
    this.api = new WebSocketApi(this, 'Api', { description: 'Agents connect to this API' })
    this.#stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.api,
      stageName: STAGE_NAME,
      autoDeploy: true,
      throttle: { rateLimit: MESSAGES_PER_SECOND, burstLimit: MESSAGES_BURST },
    })
    this.authorizer = new HubFunction(this, 'Authorizer', {
      hub,
      folder: 'agent-authorizer',
      description: 'Authenticates an agent by its token',
      timeout: Duration.seconds(10),
      env: AgentAuthorizerEnv,
      environment: { SLIPWAY_TABLE: table.name },
      allowed: [table.allowHosts('GetItem')],
    })
    this.socket = new HubFunction(this, 'Socket', {
      hub,
      folder: 'agent-socket',
      description: 'Handles messages of agents',
      timeout: ANSWER_WITHIN,
      env: AgentSocketEnv,
      environment: { SLIPWAY_TABLE: table.name, SLIPWAY_SOCKET_ENDPOINT: this.endpoint },
      // It also reads the lease and the templates, but may change only items of hosts.
      allowed: [
        table.allow('GetItem'),
        table.allowHosts('PutItem', 'UpdateItem', 'Query'),
        this.allowCalls('POST', 'DELETE'),
      ],
    })
    this.#addRoutes()
    this.#acknowledgeFindings()
  }

  /** The URL that agents connect to. */
  get url(): string {
    return this.#stage.url
  }

  /** The endpoint for posting messages to agents. */
  get endpoint(): string {
    return this.#stage.callbackUrl
  }

  /** Allows these calls on the connections of this API and stage. */
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
          'A WebSocket API supports an authorizer at $connect only: messages arrive over a connection that it admitted, ' +
          'and each carries the host that the authorizer returned.',
      })
    }
  }

  #acknowledgeFindings(): void {
    acknowledge(this.#stage, {
      'AwsSolutions-APIG1':
        'The access log of a WebSocket API requires the account-wide CloudWatch role of API Gateway, which several stacks ' +
        'cannot share. The functions log the same information: refused tokens, the hello that starts a session, and the ' +
        'end of the current session. API Gateway itself rejects requests without a token.',
    })
    const stack = Stack.of(this)
    for (const call of ['POST', 'DELETE'] as const) {
      acknowledge(stack, {
        [wildcardFinding(stack, this.#connections(call))]:
          'API Gateway creates connection ids when agents connect, so they cannot be listed here. The API, its stage and ' +
          'the call are exact, and every connection of this API belongs to an agent.',
      })
    }
  }
}
