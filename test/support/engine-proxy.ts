import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A socket before the real engine that misbehaves on request. Patterns are matched with "METHOD /path?query". */
export interface EngineProxy {
  /** `unix://…` */
  readonly address: string
  /** Every request that came, oldest first. */
  readonly requests: string[]
  /** Takes requests and passes nothing on. */
  hangOn(pattern: RegExp): void
  /** Passes requests on and keeps the answers. */
  loseAnswers(pattern: RegExp): void
  /** Answers a few bytes of a long answer, and then nothing more, or the end of the connection. */
  spoil(pattern: RegExp, how: 'cut' | 'stall'): void
  /** Answers in place of the engine: a text is an error's message. */
  answer(pattern: RegExp, status: number, body: string | object): void
  /** Behaves again. */
  behave(): void
  /** Ends all open answers, as when they are complete or as when the connection breaks. */
  drop(how: 'end' | 'cut'): void
  close(): Promise<void>
}

type Handling = (asked: IncomingMessage, answer: ServerResponse) => void

/** No pool: a connection whose answer was thrown away must not serve another request. */
const ENGINE = { socketPath: '/var/run/docker.sock', agent: false } as const

export async function openEngineProxy(): Promise<EngineProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-proxy-'))
  const path = join(folder, 'docker.sock')
  const requests: string[] = []
  const open = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let rule: { pattern: RegExp; handle: Handling } | null = null

  const server = createServer((asked, answer) => {
    const line = `${asked.method} ${asked.url}`
    requests.push(line)
    open.add(answer)
    answer.once('close', () => open.delete(answer))
    if (rule?.pattern.test(line) === true) rule.handle(asked, answer)
    else passOn(asked, answer)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))

  const use = (pattern: RegExp, handle: Handling): void => {
    rule = { pattern, handle }
  }
  return {
    address: `unix://${path}`,
    requests,
    hangOn: (pattern) => use(pattern, (asked) => asked.resume()),
    loseAnswers: (pattern) => use(pattern, (asked) => passOn(asked, null)),
    spoil: (pattern, how) =>
      use(pattern, (_, answer) => {
        answer.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
        answer.write('[{"Id":', () => how === 'cut' && answer.destroy())
      }),
    answer: (pattern, status, body) =>
      use(pattern, (asked, answer) => {
        asked.resume()
        answer.writeHead(status, { 'Content-Type': 'application/json' })
        answer.end(JSON.stringify(typeof body === 'string' ? { message: body } : body))
      }),
    behave: () => {
      rule = null
    },
    drop: (how) => {
      for (const answer of open) {
        if (how === 'end') answer.end()
        else answer.destroy()
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
}

/** Null: the answer is thrown away, and the asker hears nothing. */
function passOn(asked: IncomingMessage, answer: ServerResponse | null): void {
  const { method = 'GET', url = '/', headers } = asked
  const onward = request({ ...ENGINE, method, path: url, headers }, (answered) => {
    if (answer === null) {
      answered.resume()
      return
    }
    answer.writeHead(answered.statusCode ?? 500, answered.headers)
    answer.flushHeaders()
    answered.pipe(answer)
    answered.once('error', () => answer.destroy())
    answer.once('close', () => answered.destroy())
  })
  onward.once('error', () => answer?.destroy())
  asked.pipe(onward)
}
