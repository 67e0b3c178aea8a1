import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSignedFetch } from '../../../adapters/aws-request/index.ts'
import { createSecretReader } from '../../../adapters/ssm/index.ts'
import type { SecretReader } from '../../../core/ports/index.ts'

const CANARY = 'sf_pt_canary'
const KEY = 'the-secret-key'
const CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: KEY, sessionToken: 'session' }

interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Parameter Store as it is on the wire. `answer` speaks for it; the attempts are counted from 1. */
async function serve(answer: (response: ServerResponse, attempt: number) => void) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      asked.push({ headers: request.headers, body: String(Buffer.concat(parts)) })
      answer(response, asked.length)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const signing = { service: 'ssm', region: 'eu-central-1', credentials: async () => CREDENTIALS }
  const send = createSignedFetch(signing)
  const reader: SecretReader = createSecretReader(async () => ({ endpoint, send }))
  return { asked, reader, endpoint }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
}

function found(response: ServerResponse): void {
  json(response, 200, { Parameter: { Name: '/a/token', Type: 'SecureString', Value: CANARY, Version: 3 } })
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** The signature that AWS would compute for this request (Signature Version 4). */
function expectedSignature({ headers, body }: Asked): string {
  const [, signedHeaders = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? []
  const [, scope = ''] = /Credential=AKIATEST\/([^,]+)/.exec(headers.authorization ?? '') ?? []
  const canonicalHeaders = signedHeaders.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`)
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
  const canonical = ['POST', '/', '', canonicalHeaders.join(''), signedHeaders, digest(body)].join('\n')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest(canonical)].join('\n')
  const [date = '', region = '', service = '', end = ''] = scope.split('/')
  const key = hmac(hmac(hmac(hmac(`AWS4${KEY}`, date), region), service), end)
  return createHmac('sha256', key).update(text).digest('hex')
}

describe('a secret in Parameter Store', () => {
  it('is read decrypted, by one signed call, and can not print', async () => {
    const { asked, reader } = await serve(found)
    const secret = await reader.readSecret('/slipway/x/shipfox-token')
    expect(secret?.reveal()).toBe(CANARY)
    expect(JSON.stringify({ secret })).not.toContain(CANARY)
    expect(asked).toHaveLength(1)
    const [call] = asked
    expect(JSON.parse(call!.body)).toEqual({ Name: '/slipway/x/shipfox-token', WithDecryption: true })
    expect(call!.headers).toMatchObject({
      'x-amz-target': 'AmazonSSM.GetParameter',
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-security-token': 'session',
    })
    expect(call!.headers.authorization).toContain('/eu-central-1/ssm/aws4_request')
    expect(/Signature=(\w+)/.exec(call!.headers.authorization ?? '')?.[1]).toBe(expectedSignature(call!))
  })

  it('that was never stored is surely not there', async () => {
    const { reader } = await serve((response) => json(response, 400, { __type: 'ParameterNotFound' }))
    expect(await reader.readSecret('/a/token')).toBeNull()
  })

  it('L6: is asked for again when the connection breaks, or the service has a hiccup', async () => {
    const { asked, reader } = await serve((response, attempt) => {
      if (attempt === 1) response.socket?.destroy()
      else if (attempt === 2) json(response, 500, { __type: 'InternalServerError' })
      else found(response)
    })
    expect((await reader.readSecret('/a/token'))?.reveal()).toBe(CANARY)
    expect(asked).toHaveLength(3)
  })

  it.each([
    ['a refusal', 400, { __type: 'com.amazonaws.ssm#AccessDeniedException', message: 'not authorized' }, 1],
    ['throttling without end', 400, { __type: 'ThrottlingException' }, 3],
    ['an answer without a value', 200, { Parameter: {} }, 3],
    ['something that is not JSON', 502, 'bad gateway', 3],
  ])('inv. 8: is unknown, never absent, after %s', async (_, status, body, attempts) => {
    const { asked, reader } = await serve((response) => json(response, status, body))
    await expect(reader.readSecret('/a/token')).rejects.toMatchObject({
      code: 'secret-unreadable',
      message: expect.stringContaining('/a/token'),
    })
    expect(asked).toHaveLength(attempts)
  })
})
