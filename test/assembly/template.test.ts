import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { resolve, type Scope, Template } from './intrinsics.ts'
import { readAssembly } from './template.ts'

function scope(template: unknown): Scope {
  return {
    stack: 'stack',
    template: Template.parse(template),
    imported: (name) => {
      if (name === 'other:Table') return 'table-of-another-stack'
      throw new Error(`no ${name}`)
    },
  }
}

const STACK = scope({
  Parameters: { Level: { Type: 'String', Default: 'info' }, Needed: { Type: 'String' } },
  Conditions: {
    Yes: { 'Fn::Equals': [{ Ref: 'Level' }, 'info'] },
    No: { 'Fn::Not': [{ Condition: 'Yes' }] },
  },
  Resources: {
    Fleet: { Type: 'AWS::DynamoDB::Table', Properties: {} },
    Named: { Type: 'AWS::SNS::Topic', Properties: { TopicName: 'alarms' } },
    Strange: { Type: 'AWS::Strange::Thing' },
  },
})

describe('the resolver of intrinsics', () => {
  it.each([
    [{ Ref: 'AWS::AccountId' }, '123456789012'],
    [{ Ref: 'Fleet' }, 'stack-Fleet-1A2B3C4D5E6F'],
    [{ Ref: 'Level' }, 'info'],
    [{ Ref: 'Named' }, 'arn:aws:sns:eu-central-1:123456789012:alarms'],
    [
      { 'Fn::GetAtt': ['Fleet', 'Arn'] },
      'arn:aws:dynamodb:eu-central-1:123456789012:table/stack-Fleet-1A2B3C4D5E6F',
    ],
    [{ 'Fn::Join': ['/', ['a', { Ref: 'AWS::Region' }]] }, 'a/eu-central-1'],
    [{ 'Fn::Sub': 'x ${AWS::Partition} ${Named.TopicName} ${!kept}' }, 'x aws alarms ${kept}'],
    [{ 'Fn::Sub': ['${Mine}-${Level}', { Mine: { Ref: 'Level' } }] }, 'info-info'],
    [{ 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b:c'] }] }, 'b'],
    [{ 'Fn::If': ['No', 'no', { 'Fn::If': ['Yes', 'yes', 'no'] }] }, 'yes'],
    [{ 'Fn::ImportValue': 'other:Table' }, 'table-of-another-stack'],
    [
      { kept: 1, gone: { Ref: 'AWS::NoValue' }, list: [{ Ref: 'AWS::NoValue' }, 2] },
      { kept: 1, list: [2] },
    ],
  ])('resolves %j', (value, expected) => {
    expect(resolve(STACK, value)).toEqual(expected)
  })

  it.each([
    [{ Ref: 'Missing' }],
    [{ Ref: 'Needed' }],
    [{ Ref: 'Strange' }],
    [{ 'Fn::GetAtt': ['Fleet', 'StreamArn'] }],
    [{ 'Fn::Base64': 'x' }],
    [{ 'Fn::ImportValue': 'other:Nothing' }],
    ['{{resolve:ssm:/a}}'],
  ])('refuses %j, which it can not know', (value) => {
    expect(() => resolve(STACK, value)).toThrow(/resolve|no other/)
  })
})

/** An assembly of one stack with these resources, as CDK lays it out. */
async function writeAssembly(resources: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-small-assembly-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'asset.abc'))
  const files = {
    'manifest.json': {
      artifacts: {
        one: { type: 'aws:cloudformation:stack', properties: { templateFile: 'one.template.json' } },
        'one.assets': { type: 'cdk:asset-manifest', properties: { file: 'one.assets.json' } },
      },
    },
    'one.assets.json': { files: { abc: { source: { path: 'asset.abc' } } } },
    'one.template.json': { Resources: resources },
  }
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), JSON.stringify(content))
  return folder
}

const ROLE = {
  Type: 'AWS::IAM::Role',
  Properties: {
    AssumeRolePolicyDocument: {
      Statement: [
        { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
      ],
    },
    Policies: [{ PolicyDocument: { Statement: [{ Effect: 'Allow', Action: 'a:B', Resource: '*' }] } }],
  },
}
const POLICY = {
  Type: 'AWS::IAM::Policy',
  Properties: {
    Roles: [{ Ref: 'Role' }],
    PolicyDocument: {
      Statement: [{ Effect: 'Deny', Action: ['c:D'], Resource: { 'Fn::GetAtt': ['Fleet', 'Arn'] } }],
    },
  },
}
const FUNCTION = {
  Type: 'AWS::Lambda::Function',
  Properties: {
    Code: { S3Bucket: { 'Fn::Sub': 'assets-${AWS::AccountId}' }, S3Key: 'abc.zip' },
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
    Architectures: ['arm64'],
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
    Timeout: 9,
    Environment: { Variables: { TABLE: { Ref: 'Fleet' } } },
  },
}
const TABLE = {
  Type: 'AWS::DynamoDB::Table',
  Properties: {
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    BillingMode: 'PAY_PER_REQUEST',
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  },
}

describe('the reader of assemblies', () => {
  it('gives functions with their code, environment and role, and roles with all their policies', async () => {
    const folder = await writeAssembly({ Role: ROLE, Policy: POLICY, Code: FUNCTION, Fleet: TABLE })
    const { functions, roles, tables, counts } = await readAssembly(folder)
    expect(functions).toEqual([
      expect.objectContaining({
        id: 'Code',
        assetFolder: join(folder, 'asset.abc'),
        env: { TABLE: 'one-Fleet-1A2B3C4D5E6F' },
        roleArn: roles[0]?.arn,
        timeoutMs: 9_000,
        memoryMb: 128,
      }),
    ])
    expect(roles[0]?.trusts).toEqual(['lambda.amazonaws.com'])
    expect(roles[0]?.statements).toEqual([
      { Effect: 'Allow', Action: ['a:B'], Resource: ['*'] },
      { Effect: 'Deny', Action: ['c:D'], Resource: [tables[0]?.arn] },
    ])
    expect(tables[0]?.input).toEqual({
      TableName: 'one-Fleet-1A2B3C4D5E6F',
      KeySchema: TABLE.Properties.KeySchema,
      AttributeDefinitions: TABLE.Properties.AttributeDefinitions,
      BillingMode: 'PAY_PER_REQUEST',
    })
    expect(counts).toEqual({
      'AWS::IAM::Role': 1,
      'AWS::IAM::Policy': 1,
      'AWS::Lambda::Function': 1,
      'AWS::DynamoDB::Table': 1,
    })
  })

  it.each([
    [
      'a policy that somebody else wrote',
      'takes on',
      {
        Role: {
          ...ROLE,
          Properties: { ...ROLE.Properties, ManagedPolicyArns: ['arn:aws:iam::aws:policy/X'] },
        },
      },
    ],
    [
      'a statement with what the evaluator does not know',
      'NotAction',
      {
        Fleet: TABLE,
        Role: ROLE,
        Policy: {
          ...POLICY,
          Properties: {
            ...POLICY.Properties,
            PolicyDocument: { Statement: [{ Effect: 'Allow', NotAction: 'a:B', Resource: '*' }] },
          },
        },
      },
    ],
    [
      'a table with what nothing creates',
      'StreamSpecification',
      { Fleet: { ...TABLE, Properties: { ...TABLE.Properties, StreamSpecification: {} } } },
    ],
    [
      'code that is nowhere',
      'no asset',
      {
        Role: ROLE,
        Fleet: TABLE,
        Code: { ...FUNCTION, Properties: { ...FUNCTION.Properties, Code: { S3Key: 'def.zip' } } },
      },
    ],
  ])('refuses %s', async (_what, reason, resources) => {
    await expect(readAssembly(await writeAssembly(resources))).rejects.toThrow(reason)
  })
})
