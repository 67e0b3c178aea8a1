import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { APIGatewayAuthorizerResult } from 'aws-lambda'
import { type WebSocket, WebSocketServer } from 'ws'
import { messageOf } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import type { AgentAuthorizerEvent } from '../../lambdas/agent-authorizer/handler.ts'
import type { AgentSocketEvent } from '../../lambdas/agent-socket/handler.ts'
import { authorizerEvent, socketEvent } from './events.ts'
import { closed, listen } from './listen.ts'
import type { LocalManagement } from './management.ts'

/** Larger frames close the connection, as with API Gateway. */
const FRAME_MAX_BYTES = 32 * 1024

export interface GatewayOptions {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  readonly authorize: (event: AgentAuthorizerEvent) => Promise<APIGatewayAuthorizerResult>
  readonly handle: (event: AgentSocketEvent) => Promise<{ statusCode: number }>
  /** Reaches the connections of this gateway. */
  readonly management: LocalManagement
  readonly log: Log
}

export interface LocalGateway {
  /** The URL that agents connect to. */
  readonly url: string
  close(): Promise<void>
}

/** An API Gateway WebSocket API on one machine, with the same events for the same handlers. */
export async function startGateway(options: GatewayOptions): Promise<LocalGateway> {
  const { sockets } = options.management
  const front = createServer((_request, response) =>
    response.writeHead(426).end('Agents connect here by WebSocket.\n'),
  )
  const wss = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES })
  const pending = new Set<Promise<unknown>>()
  const track = (work: Promise<unknown>): void => {
    const tracked = work.finally(() => pending.delete(tracked))
    pending.add(tracked)
  }
  front.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const accept = (admitted: Admitted): void =>
      wss.handleUpgrade(request, socket, head, (ws) => serve(options, sockets, ws, admitted, track))
    track(upgrade(options, request, socket, accept))
  })
  const port = await listen(front, options.port, options.host)
  return {
    url: `ws://${options.host === '0.0.0.0' ? '127.0.0.1' : options.host}:${port}`,
    async close() {
      for (const socket of sockets.values()) socket.terminate()
      front.closeAllConnections()
      await closed(front)
      await Promise.allSettled(pending)
    },
  }
}

async function upgrade(
  options: GatewayOptions,
  request: IncomingMessage,
  socket: Duplex,
  accept: (admitted: Admitted) => void,
): Promise<void> {
  try {
    const admitted = await admit(options, request)
    if ('status' in admitted) refuse(socket, admitted.status)
    else accept(admitted)
  } catch (thrown) {
    options.log.emit({ name: 'gateway.connect-failed', reason: messageOf(thrown) })
    refuse(socket, 500)
  }
}

const STATUS = { 401: 'Unauthorized', 403: 'Forbidden', 500: 'Internal Server Error' } as const

function refuse(socket: Duplex, status: keyof typeof STATUS): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

interface Admitted {
  readonly connectionId: string
  readonly authorizer: Readonly<Record<string, unknown>>
}

async function admit(
  options: GatewayOptions,
  request: IncomingMessage,
): Promise<Admitted | { status: 401 | 403 }> {
  if (request.headers.authorization === undefined) return { status: 401 }
  const connectionId = randomUUID()
  const decision = await options.authorize(authorizerEvent(request))
  if (decision.policyDocument.Statement.some((statement) => statement.Effect !== 'Allow'))
    return { status: 403 }
  const authorizer = decision.context ?? {}
  const { statusCode } = await options.handle(socketEvent('$connect', connectionId, authorizer, undefined))
  return statusCode === 200 ? { connectionId, authorizer } : { status: 403 }
}

/** Each message is a separate invocation, and invocations overlap, as on AWS. */
function serve(
  { handle, log }: GatewayOptions,
  sockets: Map<string, WebSocket>,
  ws: WebSocket,
  { connectionId, authorizer }: Admitted,
  track: (work: Promise<unknown>) => void,
): void {
  const invoke = (route: '$default' | '$disconnect', body?: string): void => {
    const failed = (thrown: unknown): void =>
      log.emit({ name: 'gateway.handler-failed', route, reason: messageOf(thrown) })
    track(handle(socketEvent(route, connectionId, authorizer, body)).catch(failed))
  }
  sockets.set(connectionId, ws)
  ws.on('message', (data: Buffer) => invoke('$default', data.toString('utf8')))
  ws.on('error', (cause) => log.emit({ name: 'gateway.socket-error', reason: cause.message }))
  ws.on('close', () => {
    sockets.delete(connectionId)
    invoke('$disconnect')
  })
}
