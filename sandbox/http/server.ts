import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { messageOf } from '../../core/model/errors.ts'
import { Secret } from '../../core/model/secret.ts'
import { notFound, Refusal } from '../rules/refusal.ts'
import type { World } from '../rules/world.ts'
import type { EpochMs } from '../types.ts'
import { type Answer, ClientGone, errorBody } from './call.ts'
import { readJsonBody } from './request-body.ts'
import { matchRoute } from './router.ts'

/** Longer than the idle timeout of usual clients, so that the server never closes a connection during a request. */
const KEEP_ALIVE_MS = 65_000

export type ServerInputs = {
  readonly world: World
  readonly now: () => EpochMs
  readonly random: () => number
  /** Makes the changes of a request durable and emits their events; if it throws, the answer is 500. */
  readonly commit: () => void
  readonly onFailure: (failure: { method: string; path: string; reason: string }) => void
}

/** The HTTP server: matches, authorizes, reads, handles, commits, answers. */
export function createSandboxServer(inputs: ServerInputs): Server {
  const server = createServer((request, response) => {
    // `serve` turns every failure into an answer and an event, so this promise never rejects.
    void serve(inputs, request, response)
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  return server
}

async function serve(
  inputs: ServerInputs,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const answer = await answerOrFailure(inputs, request, gone.signal)
  if (gone.signal.aborted) takeBack(inputs, request, answer)
  else send(inputs, request, response, answer)
}

/** Always commits: a refused request may also have changed something, such as a rate limit. */
async function answerOrFailure(
  inputs: ServerInputs,
  request: IncomingMessage,
  gone: AbortSignal,
): Promise<Answer> {
  try {
    const answer = await handle(inputs, request, gone).catch(refusalAnswer)
    inputs.commit()
    return answer
  } catch (error) {
    reportFailure(inputs, request, error)
    return { status: 500, body: { code: 'server-error' } }
  }
}

async function handle(inputs: ServerInputs, request: IncomingMessage, gone: AbortSignal): Promise<Answer> {
  const { world, now, random } = inputs
  const { path, query } = target(request)
  const match = matchRoute(world.protocol, request.method ?? '', path)
  if (match === null) throw notFound()
  const { params, route } = match
  const head = {
    world,
    now,
    random,
    params,
    query,
    headers: request.headers,
    token: bearerToken(request),
    gone,
  }
  route.authorize({ ...head, body: undefined })
  return await route.handle({ ...head, body: await readJsonBody(request) })
}

function refusalAnswer(error: unknown): Answer {
  if (error instanceof ClientGone) return { status: 499, body: undefined } // never sent: the client is gone
  if (!(error instanceof Refusal)) throw error
  return { status: error.status, body: errorBody(error), ...retryAfter(error) }
}

function retryAfter({ details }: Refusal): { retryAfterSeconds?: number } {
  const seconds = details?.['retry_after_seconds']
  return typeof seconds === 'number' ? { retryAfterSeconds: seconds } : {}
}

function target(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  return { path, query: new URLSearchParams(query) }
}

function bearerToken(request: IncomingMessage): Secret | null {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
  return token === undefined ? null : new Secret(token)
}

function send(
  inputs: ServerInputs,
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): void {
  response.on('close', () => {
    if (!response.writableFinished) takeBack(inputs, request, answer)
  })
  if (answer.retryAfterSeconds !== undefined) response.setHeader('retry-after', answer.retryAfterSeconds)
  if (answer.status === 413) response.setHeader('connection', 'close') // the rest of the body is not read
  if (answer.body === undefined) {
    response.writeHead(answer.status).end()
    return
  }
  const content = Buffer.from(JSON.stringify(answer.body))
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': content.length }
  response.writeHead(answer.status, headers).end(content)
}

/** Undoes an answer whose client disconnected before it got the whole answer. */
function takeBack(inputs: ServerInputs, request: IncomingMessage, answer: Answer): void {
  if (answer.undo === undefined) return
  try {
    answer.undo()
    inputs.commit()
  } catch (error) {
    reportFailure(inputs, request, error)
  }
}

function reportFailure(inputs: ServerInputs, request: IncomingMessage, error: unknown): void {
  inputs.onFailure({ method: request.method ?? '', path: target(request).path, reason: messageOf(error) })
}
