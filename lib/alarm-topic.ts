import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import type { HubSettings } from './settings.ts'

const CLOUDWATCH = new ServicePrincipal('cloudwatch.amazonaws.com')

/** The topic of the alarms: only alarms of this account may publish, and only over TLS. */
export class AlarmTopic extends Construct {
  readonly topic: Topic

  constructor(
    scope: Construct,
    id: string,
    { alarmEmail, encryptAlarms }: Pick<HubSettings, 'alarmEmail' | 'encryptAlarms'>,
  ) {
    super(scope, id)
    const { account } = Stack.of(this)
    this.topic = new Topic(this, 'Topic', {
      enforceSSL: true,
      ...(encryptAlarms && { masterKey: this.#key(account) }),
    })
    // A custom policy replaces SNS's default policy, so it must allow the alarms to publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [CLOUDWATCH],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
    )
    if (alarmEmail !== undefined) this.topic.addSubscription(new EmailSubscription(alarmEmail))
  }

  /** Alarms can't use the AWS managed key of SNS, so an encrypted topic needs its own key. */
  #key(account: string): Key {
    const key = new Key(this, 'Key', {
      description: 'Encrypts the messages of alarms',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [CLOUDWATCH],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
    )
    return key
  }
}
