import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * More than any burst needs. A hundred runners of a whole vCPU each don't fit a small machine, and runners of a
 * hundredth are no way out: the CPU limit then throttles the engine's own start of a container several times over.
 */
const CPUS = 1_000

export interface RoomyEngine {
  /** `unix://…` */
  readonly address: string
  close(): Promise<void>
}

/** The engine behind another socket, where it says that its machine has a thousand CPUs; all else is passed through. */
export async function openRoomyEngine(enginePath: string, path: string): Promise<RoomyEngine> {
  const sockets = new Set<Socket>()
  const server = createServer((asked, answer) => passOn(enginePath, asked, answer))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    address: `unix://${path}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function passOn(socketPath: string, asked: IncomingMessage, answer: ServerResponse): void {
  const { method = 'GET', url = '/', headers } = asked
  const onward = request({ socketPath, agent: false, method, path: url, headers }, (answered) => {
    if (/^(?:\/v[\d.]+)?\/info$/.test(url)) {
      void answerInfo(answered, answer)
      return
    }
    answer.writeHead(answered.statusCode ?? 502, answered.headers)
    answer.flushHeaders()
    answered.pipe(answer)
    answered.once('error', () => answer.destroy())
    answer.once('close', () => answered.destroy())
  })
  onward.once('error', () => answer.destroy())
  answer.once('close', () => onward.destroy())
  asked.pipe(onward)
}

async function answerInfo(answered: IncomingMessage, answer: ServerResponse): Promise<void> {
  try {
    const info: unknown = JSON.parse(Buffer.concat(await answered.toArray()).toString('utf8'))
    answer.writeHead(answered.statusCode ?? 502, { 'content-type': 'application/json' })
    answer.end(JSON.stringify({ ...Object(info), NCPU: CPUS }))
  } catch (thrown) {
    answer.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)))
  }
}
