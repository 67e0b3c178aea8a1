import { request as httpRequest } from 'node:http'
import type { Env } from '../../config/index.ts'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import type { HubTarget } from './target.ts'
import { isErrno } from '../../platform/errno.ts'

export interface HubRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Path from the root of the API, with the query. */
  readonly path: string
  readonly body?: string
}

export interface HubResponse {
  readonly status: number
  readonly text: string
  /** The hub's clock from its Date header, epoch ms; null = no valid header. */
  readonly date: number | null
}

/** Sends one request; throws `hub-unreachable`, `region-unknown` or `credentials-missing`. */
export type Transport = (request: HubRequest) => Promise<HubResponse>

/** Longer than API Gateway's own timeout. */
const CALL_MAX_MS = 35_000

export function openTransport(target: HubTarget, env: Env): Transport {
  return target.kind === 'socket' ? overSocket(target.path) : overHttps(target.url, env)
}

function overSocket(path: string): Transport {
  return (request) =>
    new Promise((resolve, reject) => {
      const { method, body } = request
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      const signal = AbortSignal.timeout(CALL_MAX_MS)
      const call = httpRequest(
        { socketPath: path, path: request.path, method, headers, signal },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', (cause) => reject(noLocalHub(path, cause)))
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: response.statusCode ?? 0, text, date: timeOf(response.headers.date ?? null) })
          })
        },
      )
      call.on('error', (cause) => reject(noLocalHub(path, cause)))
      call.end(body)
    })
}

function noLocalHub(path: string, cause: Error): SlipwayError {
  const what = isErrno(cause, 'ENOENT', 'ECONNREFUSED')
    ? `No hub with this state folder runs on this machine (nothing listens on ${path}). Start one with \`slipway hub\` or \`slipway start\`, set SLIPWAY_STATE_DIR to its folder, or select a deployed hub with --hub or SLIPWAY_API_URL.`
    : isErrno(cause, 'EACCES')
      ? `The hub on this machine belongs to another user: ${path} can't be opened. Run the command as that user.`
      : `The hub on this machine doesn't answer on ${path}: ${cause.message}. Check its log.`
  return new SlipwayError('hub-unreachable', what, { cause })
}

function overHttps(base: string, env: Env): Transport {
  let opened: Promise<SignedCall> | null = null
  return async ({ method, path, body }) => {
    opened ??= openSigned(base, env)
    const send = await opened
    try {
      const response = await send({
        method,
        url: `${base}${path}`,
        signal: AbortSignal.timeout(CALL_MAX_MS),
        ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
      })
      const text = await response.text()
      return { status: response.status, text, date: timeOf(response.headers.get('date')) }
    } catch (cause) {
      if (cause instanceof SlipwayError) throw cause
      throw new SlipwayError(
        'hub-unreachable',
        `The hub's API at ${base} can't be reached: ${reasonOf(cause)}. Check the URL (stack output ApiUrl) and the network.`,
        { cause },
      )
    }
  }
}

type SignedCall = Awaited<ReturnType<typeof openSigned>>

async function openSigned(base: string, env: Env) {
  const { createSignedFetch } = await import('../../adapters/aws-request/index.ts')
  const { credentialsOf, regionOf } = await import('./aws.ts')
  const region = regionOf(base, env)
  return createSignedFetch({ service: 'execute-api', region, credentials: credentialsOf() })
}

/** The cause has the reason: the message of a `fetch` error is always "fetch failed". */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return messageOf(cause ?? thrown)
}

function timeOf(header: string | null): number | null {
  const time = header === null ? NaN : Date.parse(header)
  return Number.isNaN(time) ? null : time
}
