import { once } from 'node:events'
import {
  ApiGatewayManagementApiClient,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createAgentGateway } from '../../adapters/api-gateway/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { connectionId, epoch, hostId, LOCAL_HOST, Secret } from '../../core/model/index.ts'
import { hashAgentToken, newAgentToken } from '../../platform/agent-token.ts'
import { agentAuthorizer } from '../../lambdas/agent-authorizer/handler.ts'
import type { AgentSocketEvent } from '../../lambdas/agent-socket/handler.ts'
import { type LocalGateway, startGateway } from '../../local/gateway/index.ts'
import { type LocalManagement, startManagement } from '../../local/gateway/management.ts'
import { SILENT_LOG } from '../support/event-recorder.ts'

const log = SILENT_LOG

describe('the local gateway', () => {
  let gateway: LocalGateway
  let management: LocalManagement
  let events: AgentSocketEvent[]
  const store = createMemoryStore()
  const token = newAgentToken(hostId('one'))
  const chosen = new Secret('a-token-that-its-owner-chose')

  beforeEach(async () => {
    events = []
    await store.addHost({ id: hostId('one'), tags: [], tokenHash: hashAgentToken(token), now: 0 })
    await store.addHost({ id: LOCAL_HOST, tags: [], tokenHash: hashAgentToken(chosen), now: 0 })
    management = await startManagement()
    gateway = await startGateway({
      host: '127.0.0.1',
      port: 0,
      authorize: agentAuthorizer({ store, log }),
      async handle(event) {
        events.push(event)
        return { statusCode: 200 }
      },
      management,
      log,
    })
  })
  afterEach(async () => {
    await gateway.close()
    await management.close()
  })

  const dial = (secret: Secret | null): WebSocket =>
    new WebSocket(
      gateway.url,
      secret === null ? {} : { headers: { authorization: `Bearer ${secret.reveal()}` } },
    )

  async function refusal(socket: WebSocket): Promise<number | undefined> {
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number }]
    socket.on('error', () => {})
    socket.terminate()
    return response.statusCode
  }

  function client(accessKeyId = management.accessKeyId): ApiGatewayManagementApiClient {
    const { endpoint } = management
    return new ApiGatewayManagementApiClient({
      endpoint,
      region: 'local',
      credentials: { accessKeyId, secretAccessKey: 'x' },
    })
  }

  const seen = (route: string): AgentSocketEvent | undefined =>
    events.find((event) => event.requestContext.routeKey === route)

  it('X6: admits only the token of a host, in the header', async () => {
    expect(await refusal(dial(null))).toBe(401)
    expect(await refusal(dial(newAgentToken(hostId('one'))))).toBe(403)
    expect(await refusal(dial(newAgentToken(hostId('unknown'))))).toBe(403)
    expect(await refusal(dial(new Secret('guess')))).toBe(403)
    expect(await refusal(new WebSocket(`${gateway.url}?token=${token.reveal()}`))).toBe(401)
    expect(events).toEqual([])
  })

  it('X3: tells every route the host that the token belongs to', async () => {
    for (const [secret, host] of [
      [token, 'one'],
      [chosen, 'local'],
    ] as const) {
      events = []
      const socket = dial(secret)
      await once(socket, 'open')
      socket.send('{}')
      await expect.poll(() => seen('$default')?.body).toBe('{}')
      expect(seen('$connect')?.requestContext.authorizer).toEqual({ hostId: host })
      expect(seen('$default')?.requestContext.authorizer).toEqual({ hostId: host })
      socket.close()
      await expect
        .poll(() => seen('$disconnect')?.requestContext.connectionId)
        .toBe(seen('$connect')?.requestContext.connectionId)
    }
  })

  it('the SDK posts to a connection, and learns when it is gone', async () => {
    const socket = dial(token)
    await once(socket, 'open')
    const id = connectionId(seen('$connect')!.requestContext.connectionId)
    const agents = createAgentGateway(client())
    const heard = once(socket, 'message')
    expect(await agents.post(id, { type: 'ack', epoch: epoch(1), seq: 2 })).toBe('posted')
    expect(JSON.parse(String((await heard)[0]))).toMatchObject({ type: 'ack', epoch: 1, seq: 2 })
    await agents.close(id)
    await once(socket, 'close')
    await expect.poll(() => agents.post(id, { type: 'ack', epoch: epoch(1), seq: 3 })).toBe('gone')
    await expect(
      client().send(new PostToConnectionCommand({ ConnectionId: id, Data: 'x' })),
    ).rejects.toBeInstanceOf(GoneException)
  })

  it('X4: nobody else on this machine can post to an agent', async () => {
    const socket = dial(token)
    await once(socket, 'open')
    const id = seen('$connect')!.requestContext.connectionId
    const stranger = client('guessed')
    await expect(
      stranger.send(new PostToConnectionCommand({ ConnectionId: id, Data: 'x' })),
    ).rejects.toMatchObject({
      name: 'ForbiddenException',
    })
    const bare = await fetch(`${management.endpoint}/@connections/${id}`, {
      method: 'POST',
      body: 'x',
    })
    expect(bare.status).toBe(403)
    socket.terminate()
  })

  it('W3: closes on a frame that API Gateway would not take', async () => {
    const socket = dial(token)
    await once(socket, 'open')
    socket.send('x'.repeat(33 * 1024))
    const [code] = (await once(socket, 'close')) as [number]
    expect(code).toBe(1009)
    expect(seen('$default')).toBeUndefined()
  })
})
