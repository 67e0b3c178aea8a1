import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import {
  hostId,
  type AgentMessage,
  type Epoch,
  type Fence,
  type HubMessage,
  type LaunchOrder,
  type RunnerId,
  type RunnerSighting,
} from '../../core/model/index.ts'
import { decodeAgentMessage, encodeHubMessage, splitHubMessage } from '../../protocol/agent.ts'

const RANK = { accepted: 0, running: 1, exited: 2, refused: 2 } as const

/** The other side of the wire: a real server that speaks the protocol, and misbehaves when it is told to. */
export class ScriptedHub {
  readonly received: AgentMessage[] = []
  readonly frames: string[] = []
  /** What a hub would have written down: the furthest sighting of each runner. */
  readonly runners = new Map<RunnerId, RunnerSighting>()
  readonly authorizations: (string | undefined)[] = []
  epoch = 0
  fence = 1
  /** HTTP status that connections are refused with; null = let in. */
  refuseWith: number | null = null
  /** An agent that dials with this query is dead: it can't come back. */
  deadQuery: string | null = null
  welcomes = true
  acks: (message: AgentMessage) => boolean = () => true
  /** Says more than the usual answer, before it. */
  onMessage: (message: AgentMessage) => void = () => {}
  heartbeats = { heartbeatIdleMs: 240_000, heartbeatBusyMs: 60_000 }
  readonly sockets = new Set<WebSocket>()
  readonly #http: Server
  readonly #port: number

  private constructor(http: Server, port: number) {
    this.#http = http
    this.#port = port
  }

  static async start(port = 0): Promise<ScriptedHub> {
    const http = createServer()
    const sockets = new WebSocketServer({ noServer: true })
    await new Promise<void>((resolve) => {
      http.listen(port, '127.0.0.1', resolve)
    })
    const hub = new ScriptedHub(http, (http.address() as AddressInfo).port)
    http.on('upgrade', (request, socket, head) => {
      hub.authorizations.push(request.headers.authorization)
      const dead = hub.deadQuery !== null && request.url?.endsWith(hub.deadQuery)
      const status = dead ? 503 : hub.refuseWith
      // A client that is refused may leave before the answer is out.
      socket.on('error', () => socket.destroy())
      if (status !== null) {
        socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`)
        return
      }
      sockets.handleUpgrade(request, socket, head, (opened) => hub.#serve(opened))
    })
    return hub
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/agent`
  }

  get port(): number {
    return this.#port
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    await new Promise((resolve) => {
      this.#http.close(resolve)
    })
  }

  of<Type extends AgentMessage['type']>(type: Type): Extract<AgentMessage, { type: Type }>[] {
    return this.received.filter(
      (message): message is Extract<AgentMessage, { type: Type }> => message.type === type,
    )
  }

  phaseOf(runner: RunnerId): string | null {
    return this.runners.get(runner)?.sighting.phase ?? null
  }

  endOf(runner: RunnerId): { outcome: string; code: string; reason: string } | null {
    const sighting = this.runners.get(runner)?.sighting
    return sighting !== undefined && 'end' in sighting ? sighting.end : null
  }

  /** Whether a session of this epoch, or the current one, has reported its complete snapshot. */
  get synced(): boolean {
    return this.of('snapshot').some(({ epoch, complete }) => epoch === this.epoch && complete !== null)
  }

  send(message: HubMessage): void {
    for (const part of splitHubMessage(message)) {
      for (const socket of this.sockets) socket.send(encodeHubMessage(part))
    }
  }

  launch(launches: readonly LaunchOrder[], at: { epoch?: number; fence?: number } = {}): void {
    this.send({ type: 'launch', command: 'launch', ...this.#stamp(at), launches })
  }

  settle(runners: readonly RunnerId[], at: { epoch?: number; fence?: number } = {}): void {
    this.send({ type: 'settle', command: 'settle', ...this.#stamp(at), runners })
  }

  stopRunner(runner: RunnerId, at: { epoch?: number; fence?: number } = {}): void {
    this.send({
      type: 'stop',
      command: 'stop',
      ...this.#stamp(at),
      runners: [{ runner, reason: 'canceled' }],
    })
  }

  /** Connections break, as by a network fault. */
  cut(): void {
    for (const socket of this.sockets) socket.terminate()
  }

  #stamp(at: { epoch?: number; fence?: number }): { epoch: Epoch; fence: Fence } {
    return { epoch: (at.epoch ?? this.epoch) as Epoch, fence: (at.fence ?? this.fence) as Fence }
  }

  #serve(socket: WebSocket): void {
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('message', (data) => this.#take(socket, (data as Buffer).toString('utf8')))
  }

  #take(socket: WebSocket, text: string): void {
    this.frames.push(text)
    const message = decodeAgentMessage(text)
    this.received.push(message)
    this.onMessage(message)
    const say = (answer: HubMessage): void => socket.send(encodeHubMessage(answer))
    if (message.type === 'hello') {
      if (!this.welcomes) return
      this.epoch += 1
      return say({ type: 'welcome', host: hostId('host-1'), epoch: this.epoch as Epoch, ...this.heartbeats })
    }
    if (!this.acks(message)) return
    if (message.type === 'snapshot') message.entries.forEach((entry) => this.#merge(entry))
    if (message.type === 'report') message.runners.forEach((entry) => this.#merge(entry))
    say({ type: 'ack', epoch: message.epoch, seq: message.seq })
  }

  #merge(next: RunnerSighting): void {
    const known = this.runners.get(next.runner)
    const ahead = known === undefined || RANK[next.sighting.phase] > RANK[known.sighting.phase]
    if (known === undefined || ahead) {
      const { runner, sighting, cleared } = next
      this.runners.set(runner, { runner, sighting, cleared: cleared || (known?.cleared ?? false) })
    } else if (next.cleared) this.runners.set(next.runner, { ...known, cleared: true })
  }
}
