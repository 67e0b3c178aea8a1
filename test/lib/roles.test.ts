import { describe, expect, it } from 'vitest'
import { synthesize } from './synthesize.ts'

const hub = await synthesize()

const TABLE = '<Fleet/Table.Arn>'
const HOSTS_ONLY = { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['HOST#*'] } }
const INDEX = '<Fleet/Table.Arn>/index/changes'
const CONNECTIONS = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Agents/Api>/hub'
const TOKEN =
  'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/slipway/slipway-dev/shipfox-token'

type Statement = readonly [actions: string, on: string, condition?: unknown]

/** All that each role may do, and nothing else: a right that is added must be added here. */
const ROLES: Record<string, { usedBy: string; may: Statement[] }> = {
  'ControlLoop/Loop/Role': {
    usedBy: 'lambda.amazonaws.com',
    may: [
      ['logs:CreateLogStream logs:PutLogEvents', '<ControlLoop/Loop/Log.Arn>'],
      ['dynamodb:BatchGetItem dynamodb:GetItem dynamodb:PutItem dynamodb:Scan dynamodb:UpdateItem', TABLE],
      ['dynamodb:Query', INDEX],
      ['execute-api:ManageConnections', `${CONNECTIONS}/POST/@connections/*`],
      ['ssm:GetParameter', TOKEN],
    ],
  },
  'Agents/Authorizer/Role': {
    usedBy: 'lambda.amazonaws.com',
    may: [
      ['logs:CreateLogStream logs:PutLogEvents', '<Agents/Authorizer/Log.Arn>'],
      ['dynamodb:GetItem', TABLE, HOSTS_ONLY],
    ],
  },
  'Agents/Socket/Role': {
    usedBy: 'lambda.amazonaws.com',
    may: [
      ['logs:CreateLogStream logs:PutLogEvents', '<Agents/Socket/Log.Arn>'],
      ['dynamodb:GetItem', TABLE],
      ['dynamodb:PutItem dynamodb:UpdateItem dynamodb:Query', TABLE, HOSTS_ONLY],
      [
        'execute-api:ManageConnections',
        `${CONNECTIONS}/POST/@connections/* ${CONNECTIONS}/DELETE/@connections/*`,
      ],
    ],
  },
  'Sweep/Sweep/Role': {
    usedBy: 'lambda.amazonaws.com',
    may: [
      ['logs:CreateLogStream logs:PutLogEvents', '<Sweep/Sweep/Log.Arn>'],
      [
        'dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:Scan dynamodb:UpdateItem',
        TABLE,
      ],
      ['dynamodb:Query', INDEX],
    ],
  },
  'Http/Handler/Role': {
    usedBy: 'lambda.amazonaws.com',
    may: [
      ['logs:CreateLogStream logs:PutLogEvents', '<Http/Handler/Log.Arn>'],
      ['dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:Scan', TABLE],
      ['execute-api:ManageConnections', `${CONNECTIONS}/DELETE/@connections/*`],
    ],
  },
  'ControlLoop/Ticks/Role': {
    usedBy: 'scheduler.amazonaws.com',
    may: [['lambda:InvokeFunction', '<ControlLoop/Loop/Function.Arn>']],
  },
  'Sweep/Ticks/Role': {
    usedBy: 'scheduler.amazonaws.com',
    may: [['lambda:InvokeFunction', '<Sweep/Sweep/Function.Arn>']],
  },
}

describe('the roles', () => {
  it('are these, and none is shared', () => {
    expect(hub.ofType('AWS::IAM::Role').map(({ path }) => path)).toEqual(
      expect.arrayContaining(Object.keys(ROLES)),
    )
    expect(hub.ofType('AWS::IAM::Role')).toHaveLength(Object.keys(ROLES).length)
    const used = hub.ofType('AWS::Lambda::Function').map(({ properties }) => properties['Role'])
    expect(new Set(used).size).toBe(used.length)
  })

  it.each(Object.entries(ROLES))('%s may do exactly what its user does', (path, { usedBy, may }) => {
    const { AssumeRolePolicyDocument, Policies, ManagedPolicyArns } = hub.at(path).properties as {
      AssumeRolePolicyDocument: { Statement: { Principal: { Service: string } }[] }
      Policies: { PolicyDocument: { Statement: Record<string, unknown>[] } }[]
      ManagedPolicyArns?: unknown
    }
    expect(AssumeRolePolicyDocument.Statement.map(({ Principal }) => Principal)).toEqual([
      { Service: usedBy },
    ])
    expect(ManagedPolicyArns).toBeUndefined()
    const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    expect(statements.map(inWords)).toEqual(may)
  })

  it('have no policy attached from elsewhere', () => {
    expect(hub.parts.filter(({ type }) => /^AWS::IAM::(Managed)?Policy$/.test(type))).toEqual([])
  })

  it('let the scheduler act for this account alone', () => {
    for (const path of ['ControlLoop/Ticks/Role', 'Sweep/Ticks/Role']) {
      expect(hub.at(path).properties['AssumeRolePolicyDocument']).toMatchObject({
        Statement: [{ Condition: { StringEquals: { 'aws:SourceAccount': '<AWS::AccountId>' } } }],
      })
    }
  })

  it('let nobody read secrets where there is no source', async () => {
    const empty = await synthesize({ context: {} })
    expect(JSON.stringify(empty.ofType('AWS::IAM::Role'))).not.toContain('ssm:')
  })
})

function inWords({ Effect, Action, Resource, Condition, ...rest }: Record<string, unknown>): Statement {
  expect([Effect, rest]).toEqual(['Allow', {}])
  const words = (value: unknown): string => [value].flat().join(' ')
  if (Condition === undefined) return [words(Action), words(Resource)]
  return [words(Action), words(Resource), Condition]
}
