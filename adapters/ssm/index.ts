import * as z from 'zod'
import { BACKOFF, backoffMs } from '../../core/concurrency/backoff.ts'
import { messageOf, Secret, SlipwayError } from '../../core/model/index.ts'
import type { SecretReader } from '../../core/ports/index.ts'

/** The endpoint of Parameter Store, and how to send requests to it. */
export interface ParameterStore {
  /** Such as `https://ssm.eu-central-1.amazonaws.com`. */
  readonly endpoint: string
  /** Sends one signed request; resolves with its answer whatever the status. */
  readonly send: (request: {
    readonly method: 'POST'
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly signal: AbortSignal
  }) => Promise<Response>
}

/** The endpoint of Parameter Store in a region; `override` is AWS_ENDPOINT_URL_SSM, as in the SDK. */
export function parameterStoreEndpoint(region: string, override: string | undefined): string {
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return override ?? `https://ssm.${region}.${domain}`
}

/** A call is normally answered within milliseconds (L7). */
const CALL_MAX_MS = 3_000
/** Reading is safe to repeat, so a lost connection (L6) or a server error is retried. */
const ATTEMPTS = 3

const Found = z.object({ Parameter: z.object({ Value: z.string() }) })
const Refused = z
  .object({ __type: z.string(), message: z.string().optional() })
  .transform((body) => ({ code: body['__type'].split('#').at(-1) ?? '', message: body.message ?? '' }))

/**
 * Reads SecureStrings of Parameter Store with one signed call. Without the SDK's client, which has every call of Systems
 * Manager and would be a sixth of a bundle. Throws `secret-unreadable` if it is unknown whether the secret exists.
 */
export function createSecretReader(open: () => Promise<ParameterStore>): SecretReader {
  return {
    async readSecret(name) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await ask(await open(), name)
        } catch (thrown) {
          if (attempt === ATTEMPTS || (thrown instanceof Refusal && !thrown.transient))
            throw unreadable(name, thrown)
          await pause(backoffMs(BACKOFF.secretRead, attempt, Math.random()))
        }
      }
    },
  }
}

async function ask({ endpoint, send }: ParameterStore, name: string): Promise<Secret | null> {
  const response = await send({
    method: 'POST',
    url: `${endpoint}/`,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AmazonSSM.GetParameter' },
    body: JSON.stringify({ Name: name, WithDecryption: true }),
    signal: AbortSignal.timeout(CALL_MAX_MS),
  })
  const text = await response.text()
  if (response.ok) return new Secret(Found.parse(JSON.parse(text)).Parameter.Value)
  const refused = Refused.safeParse(orUndefined(text))
  const { code, message } = refused.success ? refused.data : { code: `HTTP ${response.status}`, message: '' }
  if (code === 'ParameterNotFound') return null
  throw new Refusal(`${code} ${message}`.trim(), response.status >= 500 || code === 'ThrottlingException')
}

/** An error answer of Parameter Store. */
class Refusal extends Error {
  readonly transient: boolean

  constructor(message: string, transient: boolean) {
    super(message)
    this.transient = transient
  }
}

function orUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

function unreadable(name: string, cause: unknown): SlipwayError {
  return new SlipwayError(
    'secret-unreadable',
    `Parameter ${name} can't be read: ${messageOf(cause)}. Check that the hub has the permission ssm:GetParameter on its ARN.`,
    { cause },
  )
}
