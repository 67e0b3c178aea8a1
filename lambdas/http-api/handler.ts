import { checkHealth } from '../../core/flows/admin/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { HealthAnswer, HUB_API_VERSION } from '../../protocol/hub-api.ts'
import { callerOf, type HttpApiEvent, type HttpApiResult } from './event.ts'
import { failureAnswer } from './failures.ts'
import type { HttpApiParts } from './parts.ts'
import { findRoute } from './routes.ts'

/** The HTTP API: `GET /health` is public, the JSON API is for callers that IAM authorized. */
export function httpApiHandler(parts: HttpApiParts) {
  return async (event: HttpApiEvent): Promise<HttpApiResult> => {
    try {
      return await answer(parts, event)
    } catch (thrown) {
      const failure = failureAnswer(thrown)
      if (failure === null) throw thrown
      const { code } = failure.answer
      parts.log.emit({ name: 'api.refused', path: event.rawPath, status: failure.status, code })
      return json(failure.status, failure.answer)
    }
  }
}

async function answer(parts: HttpApiParts, event: HttpApiEvent): Promise<HttpApiResult> {
  const { method } = event.requestContext.http
  if (event.rawPath === '/health' && method === 'GET') return health(parts)
  if (!event.rawPath.startsWith('/api/')) throw unknownRoute(method, event.rawPath)
  const by = callerOf(event)
  const found = findRoute(method, event.rawPath)
  if (found === null) throw unknownRoute(method, event.rawPath)
  const { status, value } = await found.run(parts, { by, event, param: found.param })
  return json(status, value)
}

async function health(parts: HttpApiParts): Promise<HttpApiResult> {
  const found = await checkHealth(parts)
  const isAlive = found.loop.state === 'working' || found.loop.state === 'idle'
  // A loop that never started is normal in the first minute of a new hub, so it is not an outage.
  const status = isAlive || found.loop.state === 'never-started' ? 200 : 503
  return json(status, HealthAnswer.parse({ v: HUB_API_VERSION, build: parts.build, ...found }))
}

function unknownRoute(method: string, path: string): SlipwayError {
  const shown = path.slice(0, 100)
  return new SlipwayError(
    'route-unknown',
    `There is no route ${method} ${shown}. The client may be newer than the hub.`,
  )
}

function json(statusCode: number, value: unknown): HttpApiResult {
  return {
    statusCode,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body: `${JSON.stringify(value)}\n`,
  }
}
