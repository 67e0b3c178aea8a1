import { type App, Stack } from 'aws-cdk-lib'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { SOURCE, synthesize } from './synthesize.ts'

/** What the rules would report, and where: all that is meant to be so. Each has its reason beside the construct. */
const ACKNOWLEDGED: Record<string, readonly string[]> = {
  'slipway-dev': [
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Agents>/hub/POST/@connections/*]',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Agents>/hub/DELETE/@connections/*]',
  ],
  'slipway-dev/Agents/Api/$default-Route': ['AwsSolutions-APIG4'],
  'slipway-dev/Agents/Api/$disconnect-Route': ['AwsSolutions-APIG4'],
  'slipway-dev/Agents/Stage': ['AwsSolutions-APIG1'],
  'slipway-dev/Fleet/Table': ['AwsSolutions-DDB3'],
  'slipway-dev/Http/Api/GET--health': ['AwsSolutions-APIG4'],
}

const Reasons = z.record(z.string(), z.string())

describe('the security rules', () => {
  it('find nothing that is not acknowledged, whatever the settings', async () => {
    await synthesize({ context: { ...SOURCE, stage: 'prod' } })
    await synthesize({ context: { ...SOURCE, encryptAlarms: true, alarmEmail: 'ci@example.com' } })
    const inRegion = await synthesize({
      context: { ...SOURCE, account: '123456789012', region: 'eu-west-1' },
    })
    expect(inRegion.warnings).toEqual([])
  })

  it('do look', async () => {
    const addOpenTopic = (app: App): void => {
      for (const child of app.node.children) if (child instanceof Stack) new Topic(child, 'Open')
    }
    await expect(synthesize({}, addOpenTopic)).rejects.toThrow(/slipway-dev\/Open[^]*AwsSolutions-SNS3/)
  })

  it('pass over what stands here, each with a reason in a sentence', async () => {
    const found: Record<string, string[]> = {}
    await synthesize({}, (app) => {
      for (const { node } of app.node.findAll()) {
        const entries = node.metadata.filter(({ type }) => type === 'aws:cdk:acknowledged-rules')
        for (const { data } of entries) {
          for (const [rule, reason] of Object.entries(Reasons.parse(data))) {
            ;(found[node.path] ??= []).push(rule.replace(/^\w+::/, '').replace(/<AgentsApi\w+>/, '<Agents>'))
            expect(reason).toMatch(/^[A-Z].{40,}\.$/)
          }
        }
      }
    })
    expect(found).toEqual(ACKNOWLEDGED)
  })
})
