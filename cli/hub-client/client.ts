import * as z from 'zod'
import type { Env } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { ErrorAnswer, HUB_API_VERSION } from '../../protocol/hub-api.ts'
import { chooseHub, type HubTarget } from './target.ts'
import { type HubRequest, type HubResponse, openTransport, type Transport } from './transport.ts'

/**
 * Client of a hub's JSON API. Calls throw the errors of the transport, the errors of the hub with their codes, and
 * `hub-answer-invalid`.
 */
export class HubClient {
  readonly target: HubTarget
  readonly #send: Transport

  constructor(target: HubTarget, env: Env) {
    this.target = target
    this.#send = openTransport(target, env)
  }

  get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return this.#ask({ method: 'GET', path }, shape)
  }

  delete<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return this.#ask({ method: 'DELETE', path }, shape)
  }

  post<T>(path: string, body: Readonly<Record<string, unknown>>, shape: z.ZodType<T>): Promise<T> {
    return this.#ask({ method: 'POST', path, body: JSON.stringify({ v: HUB_API_VERSION, ...body }) }, shape)
  }

  /** The response as received, with any status. */
  raw(request: HubRequest): Promise<HubResponse> {
    return this.#send(request)
  }

  async #ask<T>(request: HubRequest, shape: z.ZodType<T>): Promise<T> {
    const response = await this.#send(request)
    if (response.status >= 400) throw refusalOf(request, response)
    return readAnswer(response, shape)
  }
}

/** The hub that `--hub` or the environment names. */
export function openHubClient(flags: { readonly hub?: string }, { env }: { env: Env }): HubClient {
  return new HubClient(chooseHub(flags.hub, env), env)
}

export function readAnswer<T>({ text }: HubResponse, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(jsonOrUndefined(text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SlipwayError(
    'hub-answer-invalid',
    `The answer of the hub is invalid (${issue?.path.join('.') || 'answer'}: ${issue?.message}). Check that this is the URL of a hub's API, and that hub and command are at most one release apart.`,
  )
}

/** Errors of API Gateway itself have only a message. */
const GatewayAnswer = z.object({ message: z.string() })

function refusalOf({ method, path }: HubRequest, { status, text }: HubResponse): SlipwayError {
  const own = ErrorAnswer.safeParse(jsonOrUndefined(text))
  if (own.success) return new SlipwayError(own.data.code, own.data.message)
  const gateway = GatewayAnswer.safeParse(jsonOrUndefined(text))
  const said = gateway.success ? gateway.data.message : 'no reason given'
  if (status === 401 || status === 403)
    return new SlipwayError(
      'hub-refused',
      `The hub's API refused the caller (${status}: ${said}). Your AWS identity needs execute-api:Invoke on the API's ARN. Check the clock as well: if it is minutes off, every signature is invalid.`,
    )
  return new SlipwayError(
    'hub-failed',
    `The hub answered ${status} to ${method} ${path.replace(/\?.*$/, '')}: ${said}. Check its log (event api.*, or the error of the function).`,
  )
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
