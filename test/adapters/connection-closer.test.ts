import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createConnectionCloser } from '../../adapters/api-gateway/closer.ts'
import { createSignedFetch } from '../../adapters/aws-request/index.ts'
import { connectionId } from '../../core/model/index.ts'

let server: Server
let endpoint: string
let status = 204
const seen: (string | undefined)[][] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    const { authorization = '', 'x-amz-security-token': token } = request.headers
    seen.push([request.method, request.url, authorization.split(',')[0], String(token)])
    response.writeHead(status).end(status === 204 ? undefined : '{"message":"Gone"}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live/`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const credentials = async () => ({ accessKeyId: 'AKID', secretAccessKey: 'x', sessionToken: 'session' })
const send = createSignedFetch({ service: 'execute-api', region: 'eu-west-1', credentials })

it('ends a connection with one signed call, and takes one that is gone for ended', async () => {
  const { close } = createConnectionCloser(endpoint, send)
  await close(connectionId('L0SM9cOFvHcCIhw='))
  const credential = expect.stringMatching(
    /^AWS4-HMAC-SHA256 Credential=AKID\/\d+\/eu-west-1\/execute-api\/aws4_request/,
  )
  expect(seen).toEqual([['DELETE', '/live/@connections/L0SM9cOFvHcCIhw%3D', credential, 'session']])
  status = 410
  await close(connectionId('other'))
})

it('says so where the call was refused: the connection may still be open', async () => {
  status = 403
  const { close } = createConnectionCloser(endpoint, send)
  await expect(close(connectionId('c'))).rejects.toMatchObject({ code: 'close-failed' })
})
