import { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { Env } from '../../config/index.ts'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import type { Signing } from '../../adapters/aws-request/index.ts'

/** `https://<id>.execute-api.<region>.amazonaws.com`, with `.cn` in China. */
const API_HOST = /\.execute-api\.(?<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/

/** The region of a hub's API: from its host name, else from AWS_REGION or AWS_DEFAULT_REGION. */
export function regionOf(url: string, env: Env): string {
  const named = API_HOST.exec(new URL(url).hostname)?.groups?.['region']
  const region = named ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? ''
  if (region !== '') return region
  throw new SlipwayError(
    'region-unknown',
    `The URL ${url} does not name the AWS region of the hub. Set AWS_REGION.`,
  )
}

/** The caller's credentials, from the default provider chain of AWS. */
export function credentialsOf(): Signing['credentials'] {
  const provide = defaultProvider()
  return async () => {
    try {
      return await provide()
    } catch (cause) {
      throw new SlipwayError(
        'credentials-missing',
        `No AWS credentials were found to sign the request: ${messageOf(cause)}. Log in as for other AWS tools (AWS_PROFILE, aws sso login).`,
        { cause },
      )
    }
  }
}
