import { describe, expect, it } from 'vitest'
import { tableDefinition } from '../../adapters/dynamodb/table.ts'
import { STAGES } from '../../lib/stages.ts'
import { SOURCE, synthesize } from './synthesize.ts'

const dev = await synthesize()
const prod = await synthesize({ context: { ...SOURCE, stage: 'prod' } })
const encrypted = await synthesize({
  context: { ...SOURCE, encryptAlarms: 'true', alarmEmail: 'ci@example.com' },
})

describe('the table', () => {
  it('is the one that the store declares', () => {
    const { TableName: _name, ...definition } = tableDefinition('any')
    for (const hub of [dev, prod]) {
      const { properties } = hub.at('Fleet/Table')
      expect(properties).toMatchObject({ ...definition, AttributeDefinitions: expect.any(Array) })
      const byName = (one: unknown, other: unknown) =>
        JSON.stringify(one).localeCompare(JSON.stringify(other))
      expect((properties['AttributeDefinitions'] as unknown[]).toSorted(byName)).toEqual(
        definition.AttributeDefinitions.toSorted(byName),
      )
      expect(properties['GlobalSecondaryIndexes']).toHaveLength(definition.GlobalSecondaryIndexes.length)
    }
  })

  it('is encrypted with the key that Amazon owns: it holds no secret, and a key of ours costs as much as the hub', () => {
    // DynamoDB encrypts every table; naming the other kinds of key is what turns this one off.
    for (const hub of [dev, prod])
      expect(hub.at('Fleet/Table').properties['SSESpecification']).toBeUndefined()
  })

  it('outlives a production stack, and can be put back to any moment', () => {
    expect(prod.at('Fleet/Table')).toMatchObject({
      onDelete: 'Retain',
      properties: {
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      },
    })
  })

  it('goes with any other stack', () => {
    expect(dev.at('Fleet/Table')).toMatchObject({
      onDelete: 'Delete',
      properties: {
        DeletionProtectionEnabled: false,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false },
      },
    })
  })
})

describe('the logs', () => {
  it.each([
    ['dev', dev, 'Delete'],
    ['prod', prod, 'Retain'],
  ] as const)('of %s are kept for as long as the settings say', (stage, hub, onDelete) => {
    const groups = hub.ofType('AWS::Logs::LogGroup')
    expect(groups).toHaveLength(6)
    for (const group of groups) {
      expect(group.properties['RetentionInDays']).toBe(STAGES[stage]?.logRetentionDays)
      expect(group.onDelete).toBe(onDelete)
    }
  })
})

describe('the topic of the alarms', () => {
  it('takes messages over TLS only, and from the alarms of this account only', () => {
    const [policy] = dev.ofType('AWS::SNS::TopicPolicy')
    expect(policy?.properties['PolicyDocument']).toMatchObject({
      Statement: [
        {
          Effect: 'Deny',
          Action: 'sns:Publish',
          Principal: '*',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
        {
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': '<AWS::AccountId>' } },
        },
      ],
    })
  })

  it('is encrypted where the settings ask for it, with a key that rotates and that the alarms may use', () => {
    expect(dev.ofType('AWS::KMS::Key')).toEqual([])
    expect(encrypted.at('Alarms/Topic/Topic').properties['KmsMasterKeyId']).toBe('<Alarms/Topic/Key.Arn>')
    expect(encrypted.at('Alarms/Topic/Key').properties).toMatchObject({ EnableKeyRotation: true })
    expect(JSON.stringify(encrypted.at('Alarms/Topic/Key').properties['KeyPolicy'])).toContain(
      'cloudwatch.amazonaws.com',
    )
  })

  it('tells the address of the settings', () => {
    expect(dev.ofType('AWS::SNS::Subscription')).toEqual([])
    expect(encrypted.ofType('AWS::SNS::Subscription').map(({ properties }) => properties)).toMatchObject([
      { Protocol: 'email', Endpoint: 'ci@example.com' },
    ])
  })
})

describe('several stages in one account', () => {
  /** Properties by which a resource gets a name that no other of its kind may have in the account and region. */
  const NAMES = [
    'TableName',
    'FunctionName',
    'RoleName',
    'LogGroupName',
    'TopicName',
    'AlarmName',
    'DashboardName',
  ]

  it('share no name: only secrets have fixed ones, which begin with the name of the stack', () => {
    for (const hub of [dev, prod]) {
      for (const { path, type, properties } of hub.parts) {
        if (/^AWS::Lambda::(Permission|EventInvokeConfig)$/.test(type)) continue // they name their function
        const fixed = NAMES.filter((name) => properties[name] !== undefined)
        expect([path, fixed]).toEqual([path, []])
      }
    }
    const secrets = [dev, prod].map((hub) => JSON.stringify(hub.parts).match(/\/slipway\/[\w/-]+/g))
    expect(new Set(secrets[0])).toEqual(new Set(['/slipway/slipway-dev/shipfox-token']))
    expect(new Set(secrets[1])).toEqual(new Set(['/slipway/slipway-prod/shipfox-token']))
    expect([dev.stackName, prod.stackName]).toEqual(['slipway-dev', 'slipway-prod'])
  })

  it('are told apart by their tags', () => {
    const tags = [
      { Key: 'app', Value: 'slipway' },
      { Key: 'stage', Value: 'prod' },
    ]
    for (const type of [
      'AWS::DynamoDB::Table',
      'AWS::Lambda::Function',
      'AWS::Logs::LogGroup',
      'AWS::SNS::Topic',
    ]) {
      for (const { properties } of prod.ofType(type)) {
        expect(properties['Tags']).toEqual(expect.arrayContaining(tags))
      }
    }
  })

  it('carry the tags of the settings as well', async () => {
    const stages = { dev: { ...STAGES['dev']!, tags: { team: 'platform' } } }
    const tagged = await synthesize({ stages })
    expect(tagged.at('Fleet/Table').properties['Tags']).toContainEqual({ Key: 'team', Value: 'platform' })
  })
})

describe('the stack', () => {
  it('says where the hub is', () => {
    expect(dev.outputs).toEqual(['ApiUrl', 'AgentUrl', 'DashboardUrl'])
  })

  it('warns of a hub that would have nothing to do', async () => {
    expect(dev.warnings).toEqual([])
    const empty = await synthesize({ context: {} })
    expect(empty.warnings).toHaveLength(1)
    expect(empty.warnings[0]).toContain('no source')
  })

  it('says where alarms of a production stage can link to nothing, which keeps nobody from deploying it', async () => {
    expect(dev.notes).toEqual([])
    expect(prod.notes).toEqual([expect.stringContaining('Set runbookUrl in lib/stages.ts')])
    expect(prod.warnings).toEqual([])
    const runbookUrl = 'https://wiki.example.com/ci'
    const linked = await synthesize({ context: { ...SOURCE, stage: 'prod', runbookUrl } })
    expect(linked.notes).toEqual([])
  })
})
