import { Secret } from '../../core/model/secret.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../sandbox/index.ts'

/** Where every test clock starts. */
export const START_MS = Date.parse('2026-01-01T00:00:00.000Z')
export const TOKEN = new Secret(`sf_pt_${'T'.repeat(43)}`)

/** Every field of an answer that some test reads; `toEqual` on the whole is what holds its shape. */
export type AnswerBody = {
  reservations: { reservation_id: string; count: number }[]
  tokens: { provider_runner_id: string; registration_token: string }[]
  runner_instances: { runner_instance_id: string; bootstrap_token: string; request_index: number }[]
  control_session_token: string
  activation_token: string
  session_token: string
  lease_token: string
  job_id: string
  sandbox: { nonce: string }
  jobs: { state: string; nonce: string; nonceSeen: boolean }[]
}

export type Answer = { status: number; body: AnswerBody; headers: Headers }

/** A sandbox under a clock that only the test moves, and a client of it. */
export type Bench = {
  sandbox: Sandbox
  /** Seconds since the start. */
  clock: { at: number }
  /** One request; `token` defaults to the provisioner's, null sends none. */
  call(method: string, path: string, body?: unknown, extra?: CallExtra): Promise<Answer>
}

export type CallExtra = {
  token?: string | null
  headers?: Record<string, string>
  /** Sent as it is instead of `body`. */
  raw?: string
  signal?: AbortSignal
}

export async function startBench(
  options: Partial<SandboxOptions> & Pick<SandboxOptions, 'protocol'>,
): Promise<Bench> {
  const clock = { at: 0 }
  const sandbox = await startSandbox({
    dataDir: null,
    provisionerToken: TOKEN,
    now: () => START_MS + clock.at * 1000,
    ...options,
  })
  return { sandbox, clock, call: (...args) => call(sandbox.url, ...args) }
}

export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  { token = TOKEN.reveal(), headers = {}, raw, signal }: CallExtra = {},
): Promise<Answer> {
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
    ...(signal === undefined ? {} : { signal }),
  })
  const text = await response.text()
  return {
    status: response.status,
    body: text === '' ? undefined : JSON.parse(text),
    headers: response.headers,
  }
}

/** A template of a poll. */
export const template = (labels: string[], slots: number, running = 0): Record<string, unknown> => ({
  template_key: labels.join('-'),
  labels,
  available_slots: slots,
  starting: 0,
  running,
})

/** A poll that doesn't wait. */
export const pollBody = (templates: unknown[], maxReservations = 100): Record<string, unknown> => ({
  wait_seconds: 0,
  max_reservations: maxReservations,
  templates,
})

export const job = (labels: string[], command = 'true'): { labels: string[]; command: string } => ({
  labels,
  command,
})
