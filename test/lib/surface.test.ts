import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { AgentAuthorizerEnv } from '../../lambdas/agent-authorizer/env.ts'
import { AgentSocketEnv } from '../../lambdas/agent-socket/env.ts'
import { ControlLoopEnv } from '../../lambdas/control-loop/env.ts'
import { HttpApiEnv } from '../../lambdas/http-api/env.ts'
import { SweepEnv } from '../../lambdas/sweep/env.ts'
import { synthesize } from './synthesize.ts'

const hub = await synthesize()

/** What a part is allowed to say of itself when it stands in another account, written once for all tests here. */
const ENVIRONMENTS = {
  'Agents/Authorizer/Function': AgentAuthorizerEnv,
  'Agents/Socket/Function': AgentSocketEnv,
  'ControlLoop/Loop/Function': ControlLoopEnv,
  'Http/Handler/Function': HttpApiEnv,
  'Sweep/Sweep/Function': SweepEnv,
}

describe('what can be reached from outside', () => {
  it('is seven kinds of resource short of any other door: two APIs, and nothing else public', () => {
    const doors = /Url$|^AWS::(S3|EC2|ElasticLoadBalancing\w*|CloudFront|ApiGateway|Cognito|IAM::User)(::|$)/
    expect(hub.parts.filter(({ type }) => doors.test(type))).toEqual([])
    const apis = hub.ofType('AWS::ApiGatewayV2::Api').map(({ properties }) => properties['ProtocolType'])
    expect(apis.toSorted()).toEqual(['HTTP', 'WEBSOCKET'])
  })

  it('lets agents in by the authorizer at $connect, asked with the Authorization header, never cached', () => {
    const routes = hub.ofType('AWS::ApiGatewayV2::Route').filter(({ path }) => path.startsWith('Agents/'))
    expect(
      Object.fromEntries(
        routes.map(({ properties }) => [properties['RouteKey'], properties['AuthorizationType']]),
      ),
    ).toEqual({ $connect: 'CUSTOM', $disconnect: 'NONE', $default: 'NONE' })
    const [authorizer, ...others] = hub.ofType('AWS::ApiGatewayV2::Authorizer')
    expect(others).toEqual([])
    expect(authorizer?.properties).toMatchObject({
      AuthorizerType: 'REQUEST',
      IdentitySource: ['route.request.header.Authorization'],
    })
    expect(authorizer?.properties).not.toHaveProperty('AuthorizerResultTtlInSeconds')
    expect(String(authorizer?.properties['AuthorizerUri'])).toContain('<Agents/Authorizer/Function.Arn>')
  })

  it('shows health to everyone, and everything else to whom IAM lets in', () => {
    const routes = hub.ofType('AWS::ApiGatewayV2::Route').filter(({ path }) => path.startsWith('Http/'))
    expect(
      Object.fromEntries(
        routes.map(({ properties }) => [properties['RouteKey'], properties['AuthorizationType']]),
      ),
    ).toEqual({ 'GET /health': 'NONE', 'ANY /api/{proxy+}': 'AWS_IAM' })
  })

  it('lets only its own APIs call its functions, each its own function', () => {
    const permissions = hub.ofType('AWS::Lambda::Permission').map(({ properties }) => ({
      principal: properties['Principal'],
      function: properties['FunctionName'],
      from: String(properties['SourceArn']).replace(
        'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:',
        '',
      ),
    }))
    const gateway = 'apigateway.amazonaws.com'
    const socket = '<Agents/Socket/Function.Arn>'
    expect(permissions).toHaveLength(6)
    expect(permissions).toEqual(
      expect.arrayContaining([
        { principal: gateway, function: socket, from: '<Agents/Api>/*$connect' },
        { principal: gateway, function: socket, from: '<Agents/Api>/*$disconnect' },
        { principal: gateway, function: socket, from: '<Agents/Api>/*$default' },
        {
          principal: gateway,
          function: '<Agents/Authorizer/Function.Arn>',
          from: expect.stringMatching(/^<Agents\/Api>\/authorizers\/<Agents\/Api\/AgentToken>$/),
        },
        { principal: gateway, function: '<Http/Handler/Function.Arn>', from: '<Http/Api>/*/*/health' },
        { principal: gateway, function: '<Http/Handler/Function.Arn>', from: '<Http/Api>/*/*/api/{proxy+}' },
      ]),
    )
  })

  it('is throttled', () => {
    const stages = hub.ofType('AWS::ApiGatewayV2::Stage')
    expect(stages).toHaveLength(2)
    for (const { properties } of stages) {
      expect(properties['DefaultRouteSettings']).toEqual({
        ThrottlingBurstLimit: expect.any(Number),
        ThrottlingRateLimit: expect.any(Number),
      })
    }
  })

  it('logs requests of the HTTP API without headers and bodies', () => {
    const { Format } = hub.at('Http/Stage').properties['AccessLogSettings'] as { Format: string }
    const fields = z.record(z.string(), z.string()).parse(JSON.parse(Format))
    expect(Object.values(fields)).toContain('$context.requestId')
    expect(Object.values(fields).filter((field) => !field.startsWith('$context.'))).toEqual([])
    expect(Format).not.toMatch(/authorizer|header|body|query/i)
  })
})

describe('the functions', () => {
  const functions = hub.ofType('AWS::Lambda::Function')

  it('run on arm64 and Node 24, outside of any network of ours, with a log of their own', () => {
    expect(functions.map(({ path }) => path).toSorted()).toEqual(Object.keys(ENVIRONMENTS).toSorted())
    for (const { path, properties } of functions) {
      expect(properties).toMatchObject({
        Architectures: ['arm64'],
        Runtime: 'nodejs24.x',
        MemorySize: 256,
        LoggingConfig: { LogFormat: 'JSON', LogGroup: `<${path.replace(/Function$/, 'Log')}>` },
      })
      expect(Object.keys(properties)).not.toContain('VpcConfig')
      expect(Object.keys(properties)).not.toContain('ReservedConcurrentExecutions')
    }
    expect(hub.parts.filter(({ type }) => type.startsWith('AWS::EC2::'))).toEqual([])
  })

  it.each(Object.entries(ENVIRONMENTS))('%s gets exactly the environment that it parses', (path, schema) => {
    const { Variables } = hub.at(path).properties['Environment'] as { Variables: Record<string, string> }
    const known = Object.fromEntries(
      Object.entries(Variables).map(([name, value]) => [
        name,
        value.replace(/<AWS::URLSuffix>/, 'amazonaws.com').replaceAll(/<[^>]*>/g, 'x'),
      ]),
    )
    expect(() => schema.strict().parse(known)).not.toThrow()
  })

  it('know sources by everything but their secrets', () => {
    const { SLIPWAY_SOURCES } = (
      hub.at('ControlLoop/Loop/Function').properties['Environment'] as { Variables: Record<string, string> }
    ).Variables
    expect(JSON.parse(SLIPWAY_SOURCES!)).toEqual([
      {
        id: 'shipfox',
        kind: 'shipfox',
        apiUrl: 'https://api.example.com',
        runnerApiUrl: 'https://api.example.com',
        tokenParameter: '/slipway/slipway-dev/shipfox-token',
      },
    ])
  })

  it('L3, L10, L13: start every minute, and a tick is never repeated nor worked on late', () => {
    const schedules = hub.ofType('AWS::Scheduler::Schedule')
    const targets = ['<ControlLoop/Loop/Function.Arn>', '<Sweep/Sweep/Function.Arn>']
    expect(
      schedules.map(({ properties }) => (properties['Target'] as { Arn: string }).Arn).toSorted(),
    ).toEqual(targets)
    for (const { properties } of schedules) {
      expect(properties).toMatchObject({
        ScheduleExpression: 'rate(1 minute)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 } },
      })
      expect(properties['State'] ?? 'ENABLED').toBe('ENABLED')
    }
    const invoked = hub.ofType('AWS::Lambda::EventInvokeConfig').map(({ properties }) => properties)
    expect(invoked).toHaveLength(2)
    for (const config of invoked) {
      expect(config).toMatchObject({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 })
    }
    expect(hub.at('ControlLoop/Loop/Function').properties['Timeout']).toBe(900)
  })
})
