import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export type Direction = 'to-hub' | 'to-agent'

interface Pair {
  readonly agent: Socket
  readonly hub: Socket
  /** Bytes of these directions vanish, and so does the news of this end. */
  readonly lost: Set<Direction>
}

/** The network between an agent and its hub: bytes pass, get lost without a word, or connections break. */
export class Link {
  readonly #server: Server
  readonly #hubPort: number
  readonly #pairs = new Set<Pair>()
  #lostAnew: readonly Direction[] = []
  #refusing = false
  /** Connections taken so far. */
  taken = 0

  static async open(hubPort: number): Promise<Link> {
    const link = new Link(hubPort)
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve))
    return link
  }

  private constructor(hubPort: number) {
    this.#hubPort = hubPort
    this.#server = createServer((agent) => this.#take(agent))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** On the connections that there are, bytes of these directions vanish, and nobody is told (half-open ones). */
  lose(...directions: readonly Direction[]): void {
    for (const { lost } of this.#pairs) for (const direction of directions) lost.add(direction)
  }

  /** As `lose`, and on connections to come, too, once they are open, until `heal`. */
  loseAlways(...directions: readonly Direction[]): void {
    this.#lostAnew = directions
    this.lose(...directions)
  }

  /** New connections are cut at once, until `heal`. */
  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  /** New connections pass again; the old ones, which lost some bytes, are cut. */
  heal(): void {
    this.#lostAnew = []
    this.#refusing = false
    this.cut()
  }

  /** Both ends hear that every connection is over. */
  cut(): void {
    for (const { agent, hub } of this.#pairs) {
      agent.destroy()
      hub.destroy()
    }
  }

  /** The agent hears that its connections are over; the hub hears nothing until the returned function is called. */
  cutAtAgent(): () => void {
    const pairs = [...this.#pairs]
    for (const { agent, lost } of pairs) {
      lost.add('to-hub').add('to-agent')
      agent.destroy()
    }
    return () => {
      for (const { hub } of pairs) hub.destroy()
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #take(agent: Socket): void {
    this.taken += 1
    if (this.#refusing) {
      agent.destroy()
      return
    }
    const hub = connect(this.#hubPort, '127.0.0.1')
    const pair: Pair = { agent, hub, lost: new Set() }
    this.#pairs.add(pair)
    for (const socket of [agent, hub]) {
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => agent.destroyed && hub.destroyed && this.#pairs.delete(pair))
    }
    agent.on('data', (chunk) => pass(pair, 'to-hub', chunk, hub))
    // Each side's first bytes are the opening handshake.
    hub.once('data', () => queueMicrotask(() => this.#lostAnew.forEach((way) => pair.lost.add(way))))
    hub.on('data', (chunk) => pass(pair, 'to-agent', chunk, agent))
    agent.on('close', () => pair.lost.has('to-hub') || hub.destroy())
    hub.on('close', () => pair.lost.has('to-agent') || agent.destroy())
  }
}

function pass({ lost }: Pair, direction: Direction, chunk: Buffer, to: Socket): void {
  if (!lost.has(direction) && !to.destroyed) to.write(chunk)
}
