import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Environment, StartEnvironment } from './environment.ts'
import { PRETENDED } from './intrinsics.ts'
import type { DeclaredFunction } from './template.ts'

/** A line that a function printed. */
export interface PrintedLine {
  readonly functionId: string
  readonly text: string
}

/** What one invocation came to, as Lambda's own report line has it. */
export interface Invocation {
  readonly functionId: string
  readonly beganAtMs: number
  readonly durationMs: number
  readonly outcome: 'answered' | 'failed' | 'timed-out' | 'crashed'
  readonly message: string | null
}

export interface LambdaHostOptions {
  readonly functions: readonly DeclaredFunction[]
  readonly start: StartEnvironment
  /** Variables of the SDK that say where AWS is, and whose credentials these are. */
  readonly sdkEnv: (declared: DeclaredFunction) => Readonly<Record<string, string>>
  /** Values of the declared environment as this machine needs them: addresses in the pretended region lead nowhere. */
  readonly translate: (value: string) => string
  /** A new environment begins to write a log. */
  readonly onEnvironment: (declared: DeclaredFunction) => void
}

/**
 * Lambda on one machine: each environment serves one event at a time and is frozen between two; events that overlap
 * get environments of their own; one that is late is killed.
 */
export class LambdaHost {
  readonly lines: PrintedLine[] = []
  readonly invocations: Invocation[] = []
  /** How long loading each function's code took, in each environment. */
  readonly imports: { readonly functionId: string; readonly importMs: number }[] = []
  readonly #options: LambdaHostOptions
  readonly #pools = new Map<string, Worker[]>()
  readonly #byId = new Map<string, Worker>()
  readonly #server: Server
  #api = ''

  static async open(options: LambdaHostOptions): Promise<LambdaHost> {
    const host = new LambdaHost(options)
    host.#server.listen(0, '127.0.0.1')
    await once(host.#server, 'listening')
    host.#api = `127.0.0.1:${(host.#server.address() as AddressInfo).port}`
    return host
  }

  private constructor(options: LambdaHostOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((cause: unknown) => response.writeHead(500).end(String(cause)))
    })
    // Environments wait for their next event for as long as it takes.
    this.#server.requestTimeout = 0
    this.#server.headersTimeout = 0
    this.#server.keepAliveTimeout = 0
  }

  function(arn: string): DeclaredFunction {
    const found = this.#options.functions.find((one) => one.arn === arn)
    if (found === undefined) throw new Error(`No stack declares the function ${arn}.`)
    return found
  }

  /** Rejects with what the function threw, or with why it didn't come to an end. */
  async invoke(arn: string, event: unknown): Promise<unknown> {
    const declared = this.function(arn)
    const pool = this.#pools.get(arn) ?? []
    this.#pools.set(arn, pool)
    const free = pool.find((worker) => worker.isFree) ?? this.#add(declared, pool)
    return free.run(event)
  }

  /** Kills every environment of a function, under way or not, as Lambda may at any time. */
  async killAll(arn: string): Promise<void> {
    await Promise.all((this.#pools.get(arn) ?? []).map((worker) => worker.kill('killed')))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].flat().map((worker) => worker.kill('closed')))
    this.#server.closeAllConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  #add(declared: DeclaredFunction, pool: Worker[]): Worker {
    const id = randomUUID()
    const worker = new Worker({
      declared,
      report: (invocation) => this.invocations.push(invocation),
      start: (onExit) =>
        this.#options.start({
          assetFolder: declared.assetFolder,
          env: this.#envOf(declared, id),
          onOutput: (text) => this.#print(declared, text),
          onExit,
        }),
      gone: () => {
        pool.splice(pool.indexOf(worker), 1)
        this.#byId.delete(id)
      },
    })
    pool.push(worker)
    this.#byId.set(id, worker)
    this.#options.onEnvironment(declared)
    return worker
  }

  #envOf(declared: DeclaredFunction, id: string): Readonly<Record<string, string>> {
    const { translate, sdkEnv } = this.#options
    const own = Object.entries(declared.env).map(([name, value]) => [name, translate(value)])
    return {
      TZ: ':UTC',
      AWS_REGION: PRETENDED.region,
      AWS_DEFAULT_REGION: PRETENDED.region,
      AWS_EXECUTION_ENV: `AWS_Lambda_${declared.runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: declared.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(declared.memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: declared.logGroup,
      AWS_LAMBDA_LOG_STREAM_NAME: `environment/${id}`,
      AWS_LAMBDA_RUNTIME_API: `${this.#api}/${id}`,
      _HANDLER: declared.handler,
      ...sdkEnv(declared),
      ...Object.fromEntries(own),
    }
  }

  #print(declared: DeclaredFunction, text: string): void {
    for (const line of text.split('\n'))
      if (line.trim() !== '') this.lines.push({ functionId: declared.id, text: line })
  }

  /** The runtime API, apart for each environment by the first part of the path. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://localhost')
    const [, id = '', , , kind, what, last] = url.pathname.split('/')
    const worker = this.#byId.get(id)
    if (worker === undefined) return void response.writeHead(410).end()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const body = Buffer.concat(chunks).toString('utf8')
    if (kind === 'invocation' && what === 'next') return worker.takeNext(response)
    if (kind === 'init' && what === 'done') {
      const importMs = Number(url.searchParams.get('importMs'))
      this.imports.push({ functionId: worker.declared.id, importMs })
    } else if (kind === 'init') await worker.kill(`could not load its code: ${body}`)
    else worker.finish(last === 'response' ? { result: JSON.parse(body) } : { error: body })
    response.writeHead(202).end()
  }
}

interface WorkerParts {
  readonly declared: DeclaredFunction
  readonly start: (onExit: (how: string) => void) => Promise<Environment>
  readonly report: (invocation: Invocation) => void
  readonly gone: () => void
}

interface Running {
  readonly event: unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (cause: Error) => void
  beganAtMs: number
  timer: NodeJS.Timeout | null
  isDelivered: boolean
}

/** One environment and the event that it works on. */
class Worker {
  readonly declared: DeclaredFunction
  readonly #parts: WorkerParts
  readonly #started: Promise<Environment>
  #running: Running | null = null
  /** The runtime's open question for the next event. */
  #next: ServerResponse | null = null
  #isOver = false
  #isFrozen = false
  /** Freezing and thawing, one after another. */
  #temperature: Promise<void> = Promise.resolve()

  constructor(parts: WorkerParts) {
    this.#parts = parts
    this.declared = parts.declared
    this.#started = parts.start((how) => this.#ended('crashed', how))
    this.#started.catch((cause: unknown) => this.#ended('crashed', String(cause)))
  }

  /** It waits, frozen, for whatever comes. */
  get isFree(): boolean {
    return !this.#isOver && this.#running === null && this.#next !== null
  }

  run(event: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#running = { event, resolve, reject, beganAtMs: Date.now(), timer: null, isDelivered: false }
      if (this.#next !== null) this.#deliver(this.#running, this.#next)
    })
  }

  takeNext(response: ServerResponse): void {
    this.#next = response
    if (this.#running !== null && !this.#running.isDelivered) this.#deliver(this.#running, response)
    else
      this.#change(async (environment) => {
        await environment.freeze()
        this.#isFrozen = true
      })
  }

  finish(outcome: { readonly result: unknown } | { readonly error: string }): void {
    const running = this.#end(
      'error' in outcome ? 'failed' : 'answered',
      'error' in outcome ? outcome.error : null,
    )
    if ('error' in outcome) running?.reject(new Error(`${this.declared.id} failed: ${outcome.error}`))
    else running?.resolve(outcome.result)
  }

  async kill(why: string): Promise<void> {
    this.#ended('crashed', why)
    const environment = await this.#started.catch(() => null)
    await this.#temperature
    await environment?.kill()
  }

  #deliver(running: Running, response: ServerResponse): void {
    this.#next = null
    running.isDelivered = true
    this.#change(async (environment) => {
      if (this.#isFrozen) await environment.thaw()
      this.#isFrozen = false
      running.beganAtMs = Date.now()
      const { timeoutMs, arn } = this.declared
      running.timer = setTimeout(() => this.#late(), timeoutMs)
      const headers = {
        'lambda-runtime-aws-request-id': randomUUID(),
        'lambda-runtime-deadline-ms': running.beganAtMs + timeoutMs,
        'lambda-runtime-invoked-function-arn': arn,
      }
      response.writeHead(200, headers).end(JSON.stringify(running.event))
    })
  }

  #late(): void {
    const running = this.#end('timed-out', null)
    running?.reject(new Error(`${this.declared.id} timed out after ${this.declared.timeoutMs} ms.`))
    void this.kill('timed out')
  }

  /** In the order of their asking. One that fails ends the environment, and the event that it works on with it. */
  #change(how: (environment: Environment) => Promise<void>): void {
    const before = this.#temperature
    const change = async (): Promise<void> => {
      await before
      const environment = await this.#started
      if (!this.#isOver) await how(environment)
    }
    this.#temperature = change().catch((cause: unknown) => this.#ended('crashed', String(cause)))
  }

  #ended(outcome: 'crashed', how: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#parts.gone()
    const running = this.#end(outcome, how)
    running?.reject(new Error(`${this.declared.id} ended before its answer: ${how}`))
  }

  #end(outcome: Invocation['outcome'], message: string | null): Running | null {
    const running = this.#running
    this.#running = null
    if (running === null) return null
    if (running.timer !== null) clearTimeout(running.timer)
    const { beganAtMs } = running
    const durationMs = Date.now() - beganAtMs
    this.#parts.report({ functionId: this.declared.id, beganAtMs, durationMs, outcome, message })
    return running
  }
}
