import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import * as z from 'zod'
import { messageOf, Secret, SlipwayError } from '../../core/model/index.ts'
import type { SecretReader } from '../../core/ports.ts'

/** Where Parameter Store is, and who asks it. */
export interface ParameterStore {
  /** `https://ssm.eu-central-1.amazonaws.com`, or what stands in for it. */
  readonly endpoint: string
  readonly region: string
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
}

/** A call answers within milliseconds; nobody waits longer for one (L7). */
const CALL_MAX_MS = 3_000
/** Reading is safe to repeat: one lost connection (L6) or one failing server is no news. */
const ATTEMPTS = 3
const PAUSE_MS = 100

const Found = z.object({ Parameter: z.object({ Value: z.string() }) })
const Refused = z
  .object({ __type: z.string(), message: z.string().optional() })
  .transform((body) => ({ code: body['__type'].split('#').at(-1) ?? '', message: body.message ?? '' }))

/**
 * SecureStrings of Parameter Store, asked with one signed call: the SDK's client for it brings every other call of
 * Systems Manager along, a sixth of a bundle. Throws `secret-unreadable` where nobody can tell whether there is one.
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
          await pause(PAUSE_MS * 2 ** attempt * Math.random())
        }
      }
    },
  }
}

async function ask(store: ParameterStore, name: string): Promise<Secret | null> {
  const { method, headers, body } = await signed(store, JSON.stringify({ Name: name, WithDecryption: true }))
  const signal = AbortSignal.timeout(CALL_MAX_MS)
  const response = await fetch(`${store.endpoint}/`, { method, headers, body, signal, redirect: 'error' })
  const text = await response.text()
  if (response.ok) return new Secret(Found.parse(JSON.parse(text)).Parameter.Value)
  const refused = Refused.safeParse(orUndefined(text))
  const { code, message } = refused.success ? refused.data : { code: `HTTP ${response.status}`, message: '' }
  if (code === 'ParameterNotFound') return null
  throw new Refusal(`${code} ${message}`.trim(), response.status >= 500 || code === 'ThrottlingException')
}

/** An answer that is no secret. */
class Refusal extends Error {
  readonly transient: boolean

  constructor(message: string, transient: boolean) {
    super(message)
    this.transient = transient
  }
}

async function signed({ endpoint, region, credentials }: ParameterStore, body: string) {
  const signer = new SignatureV4({ service: 'ssm', region, credentials, sha256: Sha256 })
  const { protocol, hostname, port, host } = new URL(endpoint)
  return signer.sign({
    method: 'POST',
    protocol,
    hostname,
    ...(port !== '' && { port: Number(port) }),
    path: '/',
    headers: {
      host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonSSM.GetParameter',
    },
    body,
  })
}

type Bytes = string | ArrayBuffer | ArrayBufferView

/** SHA-256 as the signer wants it: with a key it is HMAC. */
class Sha256 {
  readonly #key: Bytes | undefined
  #parts: Buffer[] = []

  constructor(key?: Bytes) {
    this.#key = key
  }

  update(part: Bytes): void {
    this.#parts.push(bufferOf(part))
  }

  async digest(): Promise<Uint8Array> {
    const hash = this.#key === undefined ? createHash('sha256') : createHmac('sha256', bufferOf(this.#key))
    for (const part of this.#parts) hash.update(part)
    return new Uint8Array(hash.digest())
  }

  reset(): void {
    this.#parts = []
  }
}

function bufferOf(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes)
  return ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes)
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
    `Parameter ${name} can't be read: ${messageOf(cause)}. Check that the hub may read it (ssm:GetParameter on its ARN).`,
    { cause },
  )
}
