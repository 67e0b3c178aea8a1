import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'

const ROUTE = /^\/(?:[^/]+\/)?@connections\/(?<id>[^/?]+)$/

/** The connection management API (`POST` and `DELETE /@connections/{id}`) for one access key. */
export function createManagementServer(sockets: ReadonlyMap<string, WebSocket>, accessKeyId: string): Server {
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
