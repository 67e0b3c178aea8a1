import type Docker from 'dockerode'
import * as z from 'zod'
import { readLines } from '../../agent/engines/docker/lines.ts'

/** What the engine told of one container. Epoch ms by the engine's clock; null = not yet. */
export interface Watched {
  readonly id: string
  /** `slipway.install`: whose container it is. */
  readonly install: string
  /** `slipway.runner` */
  readonly runner: string
  startedAt: number | null
  diedAt: number | null
  removedAt: number | null
}

const Event = z.object({
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  timeNano: z.number(),
})

const NANOS_PER_MS = 1_000_000

/** Follows the containers of one image from their start to their removal, by the engine's own events. */
export class EngineWatch {
  readonly #containers = new Map<string, Watched>()
  readonly #stop: () => void
  #failure: unknown = null

  static async open(docker: Docker, image: string): Promise<EngineWatch> {
    const stopping = new AbortController()
    // From a moment ago: the engine answers before it has subscribed. Nobody else has containers of this image.
    const since = Math.floor(Date.now() / 1000) - 1
    const stream: AsyncIterable<unknown> = await docker.getEvents({
      since,
      filters: { type: ['container'], event: ['start', 'die', 'destroy'], image: [image] },
      abortSignal: stopping.signal,
    })
    const watch = new EngineWatch(() => stopping.abort())
    void watch.#follow(stream, stopping.signal)
    return watch
  }

  private constructor(stop: () => void) {
    this.#stop = stop
  }

  /** The containers of one install that have started, in the order of their starts. Throws when the events broke off. */
  of(install: string): readonly Watched[] {
    if (this.#failure !== null) throw new Error("The engine's events broke off.", { cause: this.#failure })
    return [...this.#containers.values()].filter((container) => container.install === install)
  }

  close(): void {
    this.#stop()
  }

  async #follow(stream: AsyncIterable<unknown>, stopping: AbortSignal): Promise<void> {
    try {
      for await (const line of readLines(stream)) this.#take(Event.parse(JSON.parse(line)))
      throw new Error('The stream ended.')
    } catch (thrown) {
      if (!stopping.aborted) this.#failure = thrown
    }
  }

  #take({ Action: action, Actor: { ID: id, Attributes: labels }, timeNano }: z.infer<typeof Event>): void {
    const atMs = timeNano / NANOS_PER_MS
    const install = labels['slipway.install'] ?? ''
    const runner = labels['slipway.runner'] ?? ''
    const container = this.#containers.get(id) ?? {
      id,
      install,
      runner,
      startedAt: null,
      diedAt: null,
      removedAt: null,
    }
    if (action === 'start') container.startedAt = atMs
    if (action === 'die') container.diedAt = atMs
    if (action === 'destroy') container.removedAt = atMs
    this.#containers.set(id, container)
  }
}

/** The engine's `StartedAt`, epoch ms; of a container that is gone already, the time of the event that told of it. */
export async function startedAt(docker: Docker, { id, startedAt: toldAt }: Watched): Promise<number> {
  try {
    return await startTimeOf(docker, id)
  } catch (thrown) {
    if (toldAt !== null && thrown instanceof Error && 'statusCode' in thrown && thrown.statusCode === 404)
      return toldAt
    throw thrown
  }
}

export async function startTimeOf(docker: Docker, id: string): Promise<number> {
  const { State } = await docker.getContainer(id).inspect()
  return Date.parse(State.StartedAt)
}
