import { Duration } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Construct } from 'constructs'
import { HttpApiEnv } from '../lambdas/http-api/env.ts'
import { acknowledge } from './acknowledge.ts'
import type { AgentSocketApi } from './agent-socket-api.ts'
import type { FleetTable } from './fleet-table.ts'
import { type HubContext, HubFunction, logGroupOf } from './hub-function.ts'
import type { SourceSecrets } from './source-secrets.ts'

/** Far more than people, scripts and a monitor need, and low enough to limit the cost of a flood. */
const REQUESTS_PER_SECOND = 20
const REQUESTS_BURST = 40

/** Caller, request and result. No headers and bodies: they may contain secrets. */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    at: '$context.requestTime',
    route: '$context.routeKey',
    path: '$context.path',
    status: '$context.status',
    caller: '$context.identity.userArn',
    from: '$context.identity.sourceIp',
    ms: '$context.responseLatency',
    error: '$context.error.message',
  }),
)

export interface HubHttpApiProps {
  readonly hub: HubContext
  readonly table: FleetTable
  readonly agents: AgentSocketApi
  readonly secrets: SourceSecrets
}

/** The HTTP API: `GET /health` is public, the JSON API is for callers that IAM authorizes. */
export class HubHttpApi extends Construct {
  readonly api: HttpApi
  readonly handler: HubFunction

  constructor(scope: Construct, id: string, { hub, table, agents, secrets }: HubHttpApiProps) {
    super(scope, id)
    this.handler = new HubFunction(this, 'Handler', {
      hub,
      folder: 'http-api',
      description: 'Handles requests of the command line: templates, hosts, runners, health',
      timeout: Duration.seconds(29),
      env: HttpApiEnv,
      environment: {
        SLIPWAY_TABLE: table.name,
        SLIPWAY_BUILD: hub.build.name,
        SLIPWAY_SOCKET_ENDPOINT: agents.endpoint,
        SLIPWAY_AGENT_URL: agents.url,
        SLIPWAY_SOURCES: secrets.asText,
      },
      allowed: [
        table.allow('DeleteItem', 'GetItem', 'PutItem', 'Query', 'Scan'),
        agents.allowCalls('DELETE'),
      ],
    })
    this.api = new HttpApi(this, 'Api', {
      description: 'HTTP API of the hub',
      createDefaultStage: false,
    })
    new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: REQUESTS_PER_SECOND, burstLimit: REQUESTS_BURST },
      accessLogSettings: {
        destination: new LogGroupLogDestination(logGroupOf(this, hub)),
        format: ACCESS_LOG,
      },
    })
    this.#addRoutes()
  }

  get url(): string {
    return this.api.apiEndpoint
  }

  #addRoutes(): void {
    const integration = (name: string) => new HttpLambdaIntegration(name, this.handler.function)
    const [health] = this.api.addRoutes({
      path: '/health',
      methods: [HttpMethod.GET],
      integration: integration('Health'),
      authorizer: new HttpNoneAuthorizer(),
    })
    if (health !== undefined) {
      acknowledge(health, {
        'AwsSolutions-APIG4':
          'Monitors need no key: health shows the builds, whether the loop works and since when, and for each source its ' +
          'id, its state, the time of the last check, the error code and the name of a missing secret, never a value.',
      })
    }
    this.api.addRoutes({
      path: '/api/{proxy+}',
      methods: [HttpMethod.ANY],
      integration: integration('Api'),
      authorizer: new HttpIamAuthorizer(),
    })
  }
}
