import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { HttpApiEvent } from '../../lambdas/http-api/event.ts'
import { apiSocketPath, startHttpApiGateway } from '../../local/gateway/http-api.ts'

let folder: string
let gateway: { close(): Promise<void> }
const events: HttpApiEvent[] = []
const errors: unknown[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-api-'))
  gateway = await startHttpApiGateway({
    folder,
    async handle(event) {
      events.push(event)
      if (event.rawPath === '/fails') throw new Error('by purpose')
      return { statusCode: 201, headers: { 'x-mine': '1' }, body: 'done' }
    },
    log: { emit: (event) => errors.push(event) },
  })
})
afterEach(async () => {
  await gateway.close()
  await rm(folder, { recursive: true })
})

function ask(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: apiSocketPath(folder), method, path }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    call.on('error', reject).end(body)
  })
}

it('hands requests to the handler as API Gateway does, with the user of this machine as the caller', async () => {
  expect(await ask('POST', '/api/hosts?a=1&b=%20', '{"x":"ä"}')).toEqual({ status: 201, text: 'done' })
  expect(events.at(-1)).toMatchObject({
    rawPath: '/api/hosts',
    rawQueryString: 'a=1&b=%20',
    body: '{"x":"ä"}',
    isBase64Encoded: false,
    requestContext: {
      http: { method: 'POST' },
      authorizer: { iam: { userArn: expect.stringMatching(/^local:\w/) } },
    },
  })
})

it('answers 500 for a handler that fails, says why in the log alone, and goes on', async () => {
  expect(await ask('GET', '/fails')).toEqual({ status: 500, text: '{"message":"Internal Server Error"}\n' })
  expect(JSON.stringify(errors)).toContain('by purpose')
  expect((await ask('GET', '/works')).status).toBe(201)
})

it('takes no body of any size', async () => {
  expect((await ask('POST', '/api/hosts', 'x'.repeat(2 * 1024 * 1024))).status).toBe(413)
})
