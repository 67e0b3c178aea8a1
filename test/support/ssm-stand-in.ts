import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'

/** Parameter Store on a loopback port, as far as the hub and its command line use it. */
export interface SsmStandIn {
  readonly url: string
  /** What is stored, by name. */
  readonly values: ReadonlyMap<string, { readonly value: string; readonly version: number }>
  put(name: string, value: string): void
  close(): Promise<void>
}

const GetParameter = z.looseObject({ Name: z.string(), WithDecryption: z.boolean().default(false) })
const PutParameter = z.looseObject({
  Name: z.string(),
  Value: z.string().min(1),
  Type: z.literal('SecureString'),
  Overwrite: z.boolean().default(false),
})

/** What the real service shows of a SecureString to those who don't ask for its decryption. */
const ENCRYPTED = 'AQICAHh-encrypted'

export async function startSsmStandIn(): Promise<SsmStandIn> {
  const values = new Map<string, { value: string; version: number }>()
  const put = (name: string, value: string): number => {
    const version = (values.get(name)?.version ?? 0) + 1
    values.set(name, { value, version })
    return version
  }
  const operations: Readonly<Record<string, (body: unknown) => Answer>> = {
    GetParameter(body) {
      const { Name, WithDecryption } = GetParameter.parse(body)
      const found = values.get(Name)
      if (found === undefined) return { error: 'ParameterNotFound' }
      const Value = WithDecryption ? found.value : ENCRYPTED
      return {
        body: { Parameter: { Name, Type: 'SecureString', Value, Version: found.version, DataType: 'text' } },
      }
    },
    PutParameter(body) {
      const { Name, Value, Overwrite } = PutParameter.parse(body)
      if (values.has(Name) && !Overwrite) return { error: 'ParameterAlreadyExists' }
      return { body: { Version: put(Name, Value), Tier: 'Standard' } }
    },
  }
  const server = createServer((request, response) => {
    answer(request, operations).then(
      (found) => send(response, found),
      () => send(response, { error: 'ValidationException' }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    values,
    put,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

type Answer = { readonly body: unknown } | { readonly error: string }

async function answer(
  request: IncomingMessage,
  operations: Readonly<Record<string, (body: unknown) => Answer>>,
): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const [, operation = ''] = String(request.headers['x-amz-target']).split('AmazonSSM.')
  const run = operations[operation]
  if (run === undefined) return { error: 'InvalidAction' }
  return run(JSON.parse(Buffer.concat(chunks).toString('utf8')))
}

function send(response: ServerResponse, answer: Answer): void {
  const isError = 'error' in answer
  response.writeHead(isError ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' })
  response.end(JSON.stringify(isError ? { __type: answer.error, message: answer.error } : answer.body))
}
