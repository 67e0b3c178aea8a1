import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectionId } from '../../core/model/index.ts'
import { openGateway, openStore } from '../../lambdas/wiring.ts'

const ENVIRONMENT = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
/** A generous bound of what three attempts of 3 s take. */
const GIVEN_UP_BY_MS = 60_000

describe('the clients of the deployed functions', () => {
  let server: Server
  let url: string
  let requests = 0
  let behave: (attempt: number, server: Server) => 'answer' | 'cut' | 'gone' | 'stall'
  const before = { ...process.env }

  beforeEach(async () => {
    requests = 0
    server = createServer((request, response) => {
      request.resume()
      requests += 1
      const does = behave(requests, server)
      if (does === 'gone') response.writeHead(410, { 'x-amzn-errortype': 'GoneException' }).end('{}')
      if (does === 'cut') request.socket.destroy()
      if (does === 'answer') response.setHeader('content-type', 'application/x-amz-json-1.0').end('{}')
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    Object.assign(process.env, ENVIRONMENT, { AWS_ENDPOINT_URL_DYNAMODB: url })
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
    process.env = { ...before }
  })

  it('L6: a connection that was cut while it was kept is made anew, and the call repeated', async () => {
    behave = (attempt) => (attempt === 2 ? 'cut' : 'answer')
    const store = openStore({ SLIPWAY_TABLE: 'hub' })
    expect(await store.readLease()).toBeNull()
    expect(await store.readLease()).toBeNull()
    expect(requests).toBe(3)
  })

  it(
    'L7: a table that never answers is given up, and unknown',
    async () => {
      behave = () => 'stall'
      const store = openStore({ SLIPWAY_TABLE: 'hub' })
      await expect(store.readLease()).rejects.toMatchObject({ code: 'store-unavailable' })
      expect(requests).toBe(3)
    },
    GIVEN_UP_BY_MS,
  )

  it('W4: a connection that is gone took nothing; unless an attempt before the answer may have got through', async () => {
    const gateway = openGateway({ SLIPWAY_SOCKET_ENDPOINT: url })
    const message = { type: 'goodbye', code: 'superseded', message: 'x', retry: true } as const
    behave = () => 'gone'
    expect(await gateway.post(connectionId('c1'), message)).toBe('gone')
    requests = 0
    behave = (attempt) => (attempt === 1 ? 'cut' : 'gone')
    await expect(gateway.post(connectionId('c1'), message)).rejects.toMatchObject({
      code: 'delivery-unknown',
    })
    expect(requests).toBe(2)
  })

  it(
    'L7: so is an agent connection that never answers',
    async () => {
      behave = () => 'stall'
      const gateway = openGateway({ SLIPWAY_SOCKET_ENDPOINT: url })
      const message = { type: 'goodbye', code: 'superseded', message: 'x', retry: true } as const
      await expect(gateway.post(connectionId('c1'), message)).rejects.toThrow(/timeout|timed out/i)
    },
    GIVEN_UP_BY_MS,
  )
})
