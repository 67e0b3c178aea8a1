import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { userInfo } from 'node:os'
import { join, relative } from 'node:path'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import type { HttpApiEvent, HttpApiResult } from '../../lambdas/http-api/event.ts'

/** A tenth of API Gateway's limit, and far more than our requests have. */
const BODY_MAX_BYTES = 1024 * 1024

export interface HttpApiGatewayOptions {
  readonly folder: string
  readonly handle: (event: HttpApiEvent) => Promise<HttpApiResult>
  readonly log: Log
}

/** The socket path of a hub's API, from its state folder. */
export function apiSocketPath(folder: string): string {
  // Relative, because it is usually shorter than the absolute path, and the system allows about a hundred characters.
  return relative(process.cwd(), join(folder, 'api.sock'))
}

/**
 * An API Gateway HTTP API on one machine: the same events to the same handler, on a Unix socket in a folder that only
 * this user can enter. Everyone who can open it is authorized, under the name of this user.
 */
export async function startHttpApiGateway(
  options: HttpApiGatewayOptions,
): Promise<{ close(): Promise<void> }> {
  const { folder, handle, log } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const path = apiSocketPath(folder)
  await rm(path, { force: true })
  const pending = new Set<Promise<unknown>>()
  const server = createServer((request, response) => {
    const work = serve(request, response, handle)
      .catch((thrown: unknown) => {
        log.emit({ name: 'gateway.handler-failed', route: 'http-api', reason: messageOf(thrown) })
        send(response, 500, { message: 'Internal Server Error' })
      })
      .finally(() => pending.delete(work))
    pending.add(work)
  })
  await listen(server, path)
  await chmod(path, 0o600)
  return {
    async close() {
      server.closeIdleConnections()
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      await Promise.allSettled(pending)
      server.closeAllConnections()
      await closed
    },
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  handle: HttpApiGatewayOptions['handle'],
): Promise<void> {
  request.on('error', () => response.destroy())
  const body = await readBody(request)
  if (body === null) return send(response, 413, { message: 'Request Entity Too Large' })
  const { statusCode, headers, body: text } = await handle(eventOf(request, body))
  response.writeHead(statusCode, headers).end(text)
}

/** Null if the body is too large. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    bytes += part.byteLength
    if (bytes <= BODY_MAX_BYTES) chunks.push(part)
  }
  return bytes > BODY_MAX_BYTES ? null : Buffer.concat(chunks).toString('utf8')
}

function eventOf(request: IncomingMessage, body: string): HttpApiEvent {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
  return {
    rawPath: pathname,
    rawQueryString: search.replace(/^\?/, ''),
    isBase64Encoded: false,
    ...(body !== '' && { body }),
    requestContext: {
      requestId: randomUUID(),
      http: { method: request.method ?? 'GET' },
      authorizer: { iam: { userArn: `local:${userName()}` } },
    },
  }
}

/** A container's user may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent) response.destroy()
  else response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const what = `The hub's API can't listen on ${path}: ${cause.message}. Set SLIPWAY_STATE_DIR to a folder of your own with a short path.`
      reject(new SlipwayError('hub-listen', what, { cause }))
    })
    server.listen(path, () => resolve())
  })
}
