import { WebSocket } from 'ws'
import {
  MESSAGE_MAX_BYTES,
  messageOf,
  type AgentMessage,
  type HubMessage,
  type Secret,
} from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { decodeHubMessage, encodeAgentMessage } from '../../protocol/agent.ts'

const HANDSHAKE_MAX_MS = 15_000

/** One open WebSocket to the hub. */
export interface HubConnection {
  /** Sends if the connection is still open; what is lost is sent again in the next session. */
  send(message: AgentMessage): void
  /** Delivers messages in order, those that arrived before this call first. */
  receive(take: (message: HubMessage) => void): void
  /** Resolves with the reason once either side has closed the connection. */
  readonly closed: Promise<string>
  close(reason: string): void
}

/** The hub refused the connection; `status` is the HTTP status of its answer. */
export class ConnectionRefused extends Error {
  readonly status: number

  constructor(status: number) {
    super(`The hub answered HTTP ${status}`)
    this.name = 'ConnectionRefused'
    this.status = status
  }
}

/** Connects to the hub. Throws `ConnectionRefused`, or the network's own error. */
export async function connectHub(options: {
  readonly url: string
  readonly token: Secret
  readonly log: Log
  readonly signal: AbortSignal
}): Promise<HubConnection> {
  const socket = new WebSocket(options.url, {
    headers: { authorization: `Bearer ${options.token.reveal()}` },
    handshakeTimeout: HANDSHAKE_MAX_MS,
    maxPayload: MESSAGE_MAX_BYTES,
    // Frames are small and full of random ids: compression would cost memory and save little.
    perMessageDeflate: false,
    followRedirects: false,
  })
  const closed = closing(socket)
  const inbox = createInbox(options.log)
  socket.on('message', (data, isBinary) => inbox.put(isBinary ? '' : textOf(data)))
  await opening(socket, options.signal)
  return {
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(encodeAgentMessage(message))
    },
    receive: (take) => inbox.open(take),
    closed,
    close(reason) {
      socket.close(1000, reason.slice(0, 100))
      // The other side of a half-open connection does not answer the closing handshake.
      setTimeout(() => socket.terminate(), 1_000).unref()
    },
  }
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8')
}

function opening(socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // Makes the handshake fail, which rejects below.
    const giveUp = (): void => socket.terminate()
    signal.addEventListener('abort', giveUp, { once: true })
    // The signal lives as long as the agent: listeners of failed attempts would add up while the hub is unreachable.
    const settle = (outcome: () => void): void => {
      signal.removeEventListener('abort', giveUp)
      outcome()
    }
    socket.once('open', () => settle(resolve))
    socket.once('error', (error) => settle(() => reject(error)))
    socket.once('unexpected-response', (request, response) => {
      response.resume()
      request.destroy()
      settle(() => reject(new ConnectionRefused(response.statusCode ?? 0)))
    })
  })
}

function closing(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    let problem = ''
    socket.on('error', (error) => {
      problem = messageOf(error)
    })
    socket.once('close', (code, reason) =>
      resolve(problem || `closed with ${code} ${reason.toString()}`.trim()),
    )
  })
}

/** Holds messages until `open` is called. Logs and skips an unreadable one: the hub repeats what matters. */
function createInbox(log: Log): {
  put(text: string): void
  open(take: (message: HubMessage) => void): void
} {
  let waiting: HubMessage[] = []
  let deliver: ((message: HubMessage) => void) | null = null
  return {
    put(text) {
      try {
        const message = decodeHubMessage(text)
        if (deliver === null) waiting.push(message)
        else deliver(message)
      } catch (error) {
        log.emit({ name: 'agent.message-unreadable', reason: messageOf(error) })
      }
    },
    open(take) {
      deliver = take
      for (const message of waiting) take(message)
      waiting = []
    },
  }
}
