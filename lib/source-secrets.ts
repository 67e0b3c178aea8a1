import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { SourceEnv } from '../lambdas/env.ts'
import type { HubSettings } from './settings.ts'

/**
 * The parameter names of the sources' tokens. CloudFormation can't create a SecureString, so the stack only has the names
 * and the permission to read them, and `slipway secret set` writes the values.
 */
export class SourceSecrets extends Construct {
  /** The sources as the functions get them: with the name of the secret, without the secret. */
  readonly sources: readonly SourceEnv[]

  constructor(scope: Construct, id: string, { sources }: Pick<HubSettings, 'sources'>) {
    super(scope, id)
    const { stackName } = Stack.of(this)
    this.sources = sources.map(({ id: source, apiUrl, runnerApiUrl = apiUrl }) => ({
      id: source,
      kind: 'shipfox',
      apiUrl,
      runnerApiUrl,
      tokenParameter: `/slipway/${stackName}/${source}-token`,
    }))
  }

  /** JSON for the environment of a function. */
  get asText(): string {
    return JSON.stringify(this.sources)
  }

  /** Allows reading exactly these secrets. They use the AWS managed key, which needs no separate permission. */
  allowReading(): PolicyStatement[] {
    if (this.sources.length === 0) return []
    const stack = Stack.of(this)
    return [
      new PolicyStatement({
        actions: ['ssm:GetParameter'],
        resources: this.sources.map(({ tokenParameter }) =>
          stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: tokenParameter.slice(1) }),
        ),
      }),
    ]
  }
}
