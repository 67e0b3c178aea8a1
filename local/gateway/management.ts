import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import { closed, listen } from './listen.ts'

const ROUTE = /^\/(?:[^/]+\/)?@connections\/(?<id>[^/?]+)$/

/** The connection management API of a gateway: `POST` and `DELETE /@connections/{id}`. */
export interface LocalManagement {
  readonly endpoint: string
  /** For the SDK's management client; only this process knows it. */
  readonly accessKeyId: string
  /** Open connections by their id; the gateway adds and removes them. */
  readonly sockets: Map<string, WebSocket>
  close(): Promise<void>
}

/** Starts before its gateway, so that the gateway's handlers can be given a client of it. */
export async function startManagement(): Promise<LocalManagement> {
  const sockets = new Map<string, WebSocket>()
  const accessKeyId = randomBytes(16).toString('hex')
  const server = createManagementServer(sockets, accessKeyId)
  const port = await listen(server, 0, '127.0.0.1')
  return {
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId,
    sockets,
    async close() {
      server.closeAllConnections()
      await closed(server)
    },
  }
}

function createManagementServer(sockets: ReadonlyMap<string, WebSocket>, accessKeyId: string): Server {
  return createServer((request, response) => {
    const id = ROUTE.exec(request.url ?? '')?.groups?.['id']
    if (request.headers.authorization?.includes(`Credential=${accessKeyId}/`) !== true)
      return refuse(response, 403)
    if (id === undefined) return refuse(response, 404)
    const socket = sockets.get(decodeURIComponent(id))
    if (socket === undefined || socket.readyState !== socket.OPEN) return refuse(response, 410)
    if (request.method === 'DELETE') {
      socket.close()
      response.writeHead(204).end()
    } else if (request.method === 'POST') post(request, response, socket)
    else refuse(response, 404)
  })
}

function post(request: IncomingMessage, response: ServerResponse, socket: WebSocket): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('error', () => response.destroy())
  request.on('end', () => {
    socket.send(Buffer.concat(chunks).toString('utf8'), (failure) => {
      if (failure) refuse(response, 410)
      else response.writeHead(200).end()
    })
  })
}

const ERRORS = { 403: 'ForbiddenException', 404: 'NotFoundException', 410: 'GoneException' } as const

function refuse(response: ServerResponse, status: keyof typeof ERRORS): void {
  const headers = { 'content-type': 'application/json', 'x-amzn-errortype': ERRORS[status] }
  response.writeHead(status, headers).end('{}')
}
