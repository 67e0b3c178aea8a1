import { createDynamoStore, ensureTable } from '../../adapters/dynamodb/index.ts'
import { createLog, jsonLine, lineOf } from '../../adapters/log/index.ts'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { type ConnectionId, sourceId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { HttpApiEvent } from '../../lambdas/http-api/event.ts'
import { httpApiHandler } from '../../lambdas/http-api/handler.ts'
import type { HttpApiParts } from '../../lambdas/http-api/parts.ts'
import { T0 } from '../contract/store-fixtures.ts'
import { type DynamoEmulator, startDynamoEmulator } from '../support/dynamodb-emulator/index.ts'

export const ANN = 'arn:aws:sts::111122223333:assumed-role/admin/ann'
export const SHIPFOX = sourceId('shipfox')
export const PARAMETER = '/slipway/slipway-dev/shipfox-token'

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

/** A hub's API as its callers see it, with what happens behind it in view. */
export interface Api {
  readonly store: FleetStore
  readonly closed: ConnectionId[]
  readonly logged: () => string
  now: number
  ask(method: string, path: string, body?: unknown, over?: Partial<HttpApiEvent>): Promise<Answer>
}

let emulator: DynamoEmulator | null = null
let tables = 0

/** Both stores, each empty. */
export const STORES: readonly (readonly [name: string, open: () => Promise<FleetStore>])[] = [
  ['memory', async () => createMemoryStore()],
  [
    'DynamoDB',
    async () => {
      emulator ??= await startDynamoEmulator()
      tables += 1
      await ensureTable(emulator.client, `api-${tables}`)
      return createDynamoStore({ client: emulator.client, table: `api-${tables}` })
    },
  ],
]

export async function closeStores(): Promise<void> {
  await emulator?.close()
  emulator = null
}

export function openApi(store: FleetStore, over: Partial<HttpApiParts> = {}): Api {
  const lines: string[] = []
  const closed: ConnectionId[] = []
  const api: Api = {
    store,
    closed,
    now: T0,
    logged: () => lines.join('\n'),
    async ask(method, path, body, overEvent = {}) {
      const result = await handler({ ...eventOf(method, path, body), ...overEvent })
      const parsed: Answer['body'] = JSON.parse(result.body)
      return { status: result.statusCode, body: parsed, text: result.body, headers: result.headers }
    },
  }
  const handler = httpApiHandler({
    store,
    gateway: {
      async close(connection) {
        closed.push(connection)
      },
    },
    clock: { now: () => api.now, monotonicMs: () => api.now, sleep: async () => {} },
    log: createLog((entry) => lines.push(jsonLine(lineOf(entry)))),
    build: 'b1',
    agentUrl: 'wss://agents.example/live',
    sources: [{ id: SHIPFOX, tokenParameter: PARAMETER }],
    fixedTemplates: null,
    templateDefaults: {},
    ...over,
  })
  return api
}

/** As API Gateway makes one of a request that its IAM authorizer let in. */
export function eventOf(method: string, path: string, body?: unknown): HttpApiEvent {
  const [rawPath = '', rawQueryString = ''] = path.split('?')
  return {
    rawPath,
    rawQueryString,
    isBase64Encoded: false,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    requestContext: {
      requestId: 'r1',
      http: { method },
      authorizer: { iam: { userArn: ANN } },
    },
  }
}

export function yamlOf(maxConcurrency: number): string {
  return `templates:\n  linux:\n    labels: [linux, x64]\n    image: "runner:1"\n    cpu: 1\n    memory: 1GiB\n    max_concurrency: ${maxConcurrency}\n    hosts: all\n`
}
