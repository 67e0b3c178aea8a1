import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LEASE_KEY, SOURCES_PARTITION, TEMPLATES_KEY } from '../../adapters/dynamodb/keys.ts'
import { mayDo, mistakesIn, mistakesInStatement, roleName } from './audit.ts'
import { Statement } from './iam.ts'
import { PRETENDED } from './intrinsics.ts'
import { type Synthesized, synthesize } from './synthesize.ts'
import type { Assembly, DeclaredRole } from './template.ts'

const { region, account } = PRETENDED

let synthesized: Synthesized
let assembly: Assembly

beforeAll(async () => {
  synthesized = await synthesize('prod')
  assembly = synthesized.assembly
})
afterAll(() => synthesized.close())

function role(name: string): DeclaredRole {
  const found = assembly.roles.find((one) => roleName(one) === name)
  if (found === undefined)
    throw new Error(`There is no ${name}, only ${assembly.roles.map(roleName).join(', ')}.`)
  return found
}

const keyed = (...keys: readonly string[]) => ({ 'dynamodb:LeadingKeys': keys })
const table = () => assembly.tables[0]?.arn ?? ''
const index = () => `${table()}/index/changes`
const parameter = (name: string) => `arn:aws:ssm:${region}:${account}:parameter/slipway/slipway-prod/${name}`
const connection = (call: string) => {
  const api = assembly.apis.find(({ protocol }) => protocol === 'WEBSOCKET')
  return `arn:aws:execute-api:${region}:${account}:${api?.id}/${api?.stage}/${call}/@connections/abc=`
}
const functionOf = (part: string) => assembly.functions.find(({ id }) => id.startsWith(part))?.arn ?? ''

describe('the policies of the roles', () => {
  it('name only actions, resources and conditions that AWS knows, each action by itself', async () => {
    expect(await mistakesIn(assembly.roles)).toEqual([])
  })

  it.each([
    ['no action', { Action: 'dynamodb:GetItems' }, 'there is no action'],
    ['more than one action', { Action: 'dynamodb:*' }, 'more than one action'],
    ['no resource of the action', { Resource: 'arn:aws:sqs:eu-central-1:1:queue' }, 'no resource like'],
    ['every resource', { Resource: '*' }, 'no resource like'],
    [
      'no condition of the action',
      { Condition: { StringEquals: { 'ssm:Overwrite': 'x' } } },
      'no condition key',
    ],
    ['what is not recorded', { Condition: { StringEquals: { 'dynamodb:Attributes': 'x' } } }, 'not recorded'],
  ])('would be found out if one named %s', async (_what, parts, mistake) => {
    const Resource = 'arn:aws:dynamodb:eu-central-1:1:table/fleet'
    const wrong = Statement.parse({ Effect: 'Allow', Action: 'dynamodb:GetItem', Resource, ...parts })
    expect((await mistakesInStatement(wrong)).join('\n')).toContain(mistake)
  })

  it('X21: no role may write policies, take on roles, change code or tables, or read another secret', () => {
    const elsewhere = `arn:aws:dynamodb:${region}:${account}:table/other`
    for (const one of assembly.roles) {
      for (const action of ['iam:PutRolePolicy', 'iam:PassRole', 'sts:AssumeRole'])
        expect([roleName(one), action, mayDo(one, { action, resource: one.arn })]).toEqual([
          roleName(one),
          action,
          false,
        ])
      for (const { arn } of assembly.functions)
        expect(mayDo(one, { action: 'lambda:UpdateFunctionCode', resource: arn })).toBe(false)
      for (const action of [
        'dynamodb:DeleteTable',
        'dynamodb:UpdateTable',
        'dynamodb:ExportTableToPointInTime',
      ])
        expect(mayDo(one, { action, resource: table() })).toBe(false)
      expect(mayDo(one, { action: 'dynamodb:GetItem', resource: elsewhere, context: keyed('HOST#a') })).toBe(
        false,
      )
      for (const action of ['ssm:GetParameter', 'ssm:GetParameterHistory', 'ssm:PutParameter'])
        expect(mayDo(one, { action, resource: parameter('another-token') })).toBe(false)
      for (const action of ['ssm:GetParametersByPath', 'ssm:GetParameterHistory', 'ssm:PutParameter'])
        expect(mayDo(one, { action, resource: parameter('shipfox-token') })).toBe(false)
    }
  })

  it('X21: the authorizer reads hosts and nothing else', () => {
    const authorizer = role('AgentsAuthorizerRole')
    const read = (...keys: readonly string[]) =>
      mayDo(authorizer, { action: 'dynamodb:GetItem', resource: table(), context: keyed(...keys) })
    expect([read('HOST#a'), read('FLEET'), read('TEMPLATES')]).toEqual([true, false, false])
    for (const action of ['PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'Scan'])
      expect(
        mayDo(authorizer, { action: `dynamodb:${action}`, resource: table(), context: keyed('HOST#a') }),
      ).toBe(false)
    expect(mayDo(authorizer, { action: 'execute-api:ManageConnections', resource: connection('POST') })).toBe(
      false,
    )
  })

  it('X21: what agents report is written to their hosts, never to templates, the lease or sources', () => {
    const socket = role('AgentsSocketRole')
    const may = (action: string, key: string) =>
      mayDo(socket, { action: `dynamodb:${action}`, resource: table(), context: keyed(key) })
    for (const action of ['PutItem', 'UpdateItem', 'Query']) {
      expect([action, may(action, 'HOST#a')]).toEqual([action, true])
      for (const key of [LEASE_KEY.pk, TEMPLATES_KEY.pk, SOURCES_PARTITION])
        expect([action, key, may(action, key)]).toEqual([action, key, false])
    }
    expect(may('GetItem', LEASE_KEY.pk)).toBe(true)
    expect(may('GetItem', TEMPLATES_KEY.pk)).toBe(true)
  })

  it("X13: the control loop alone reads the source's secret", () => {
    const readers = assembly.roles.filter((one) =>
      mayDo(one, { action: 'ssm:GetParameter', resource: parameter('shipfox-token') }),
    )
    expect(readers.map(roleName)).toEqual(['ControlLoopRole'])
  })

  it.each([
    ['ControlLoopRole', 'ends connections', 'execute-api:ManageConnections', () => connection('DELETE')],
    ['ControlLoopRole', 'starts functions', 'lambda:InvokeFunction', () => functionOf('ControlLoop')],
    ['AgentsSocketRole', 'deletes items', 'dynamodb:DeleteItem', () => table()],
    ['AgentsSocketRole', 'reads everything', 'dynamodb:Scan', () => table()],
    [
      'AgentsSocketRole',
      'looks at who is connected',
      'execute-api:ManageConnections',
      () => connection('GET'),
    ],
    ['SweepRole', 'talks to agents', 'execute-api:ManageConnections', () => connection('POST')],
    ['SweepRole', 'reads secrets', 'ssm:GetParameter', () => parameter('shipfox-token')],
    ['HttpHandlerRole', 'talks to agents', 'execute-api:ManageConnections', () => connection('POST')],
    ['HttpHandlerRole', 'reads secrets', 'ssm:GetParameter', () => parameter('shipfox-token')],
    ['ControlLoopTicksRole', 'starts the sweep', 'lambda:InvokeFunction', () => functionOf('Sweep')],
    ['ControlLoopTicksRole', 'touches the table', 'dynamodb:GetItem', () => table()],
    ['SweepTicksRole', 'starts the control loop', 'lambda:InvokeFunction', () => functionOf('ControlLoop')],
    ['SweepTicksRole', 'reads the index', 'dynamodb:Query', () => index()],
  ])('X21: %s never %s', (name, _what, action, resource) => {
    expect(mayDo(role(name), { action, resource: resource(), context: keyed('HOST#a') })).toBe(false)
  })

  it('has a test above for every role that there is', () => {
    const tested = [
      'AgentsAuthorizerRole',
      'AgentsSocketRole',
      'ControlLoopRole',
      'ControlLoopTicksRole',
      'HttpHandlerRole',
      'SweepRole',
      'SweepTicksRole',
    ]
    expect(assembly.roles.map(roleName).toSorted()).toEqual(tested)
  })

  it('X22: gives each role to one service, and each function to nobody but its own triggers', () => {
    for (const one of assembly.roles) {
      const service = roleName(one).endsWith('TicksRole') ? 'scheduler.amazonaws.com' : 'lambda.amazonaws.com'
      expect([roleName(one), ...one.trusts]).toEqual([roleName(one), service])
    }
    const apis = assembly.apis.map(({ id }) => `arn:aws:execute-api:${region}:${account}:${id}/`)
    for (const { principal, sourceArn } of assembly.permissions) {
      expect(principal).toBe('apigateway.amazonaws.com')
      expect(apis.filter((api) => sourceArn?.startsWith(api))).toHaveLength(1)
    }
  })
})
