import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'

/** The credentials, service and region that requests are signed for. */
export interface Signing {
  readonly service: string
  readonly region: string
  readonly credentials: () => Promise<{
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }>
}

export interface AwsRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** `fetch` with a SigV4 signature, for the few calls that don't justify an SDK client. Follows no redirects. */
export function createSignedFetch(signing: Signing): (request: AwsRequest) => Promise<Response> {
  const signer = new SignatureV4({ ...signing, sha256: Sha256 })
  return async ({ method, url, headers = {}, body, signal }) => {
    const { protocol, hostname, port, host, pathname, searchParams } = new URL(url)
    const signed = await signer.sign({
      method,
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...headers, host },
      body,
    })
    return fetch(url, {
      method,
      headers: signed.headers,
      redirect: 'error',
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    })
  }
}

type Bytes = string | ArrayBuffer | ArrayBufferView

/** SHA-256 with the interface that the signer expects; with a key it computes HMAC. */
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
