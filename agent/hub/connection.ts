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
  /** Sends if it is still open; what is lost is said again in the next session. */
  send(message: AgentMessage): void
  /** Takes messages from here on, in order; those that came before are handed over first. */
  receive(take: (message: HubMessage) => void): void
  /** Resolves with why, once it is closed by either side. */
  readonly closed: Promise<string>
  close(reason: string): void
}

/** The hub did not let the connection in: `status` is its HTTP answer. */
export class ConnectionRefused extends Error {
  readonly status: number

  constructor(status: number) {
    super(`The hub answered HTTP ${status}`)
    this.name = 'ConnectionRefused'
    this.status = status
  }
}

/** Dials the hub. Throws `ConnectionRefused`, or whatever the network says. */
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
    // Frames are small and hold random ids: compression would cost memory for nothing.
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
      // A half-open connection answers no closing handshake; there is nothing to wait for.
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
    // Ends the handshake with an error, which rejects below.
    const giveUp = (): void => socket.terminate()
    signal.addEventListener('abort', giveUp, { once: true })
    // The signal lives as long as the agent: what it kept of each failed dial would add up while a hub is away.
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

/** Holds messages until someone takes them. What can't be read is told and left out: the hub repeats what matters. */
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
