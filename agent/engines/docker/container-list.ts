import type Docker from 'dockerode'
import * as z from 'zod'
import { messageOf, type SlotSize } from '../../../core/model/index.ts'
import type { Clock, Log } from '../../../core/ports/index.ts'
import { EngineError, type EngineRunner } from '../engine.ts'
import { ContainerRow, InspectedContainer, readContainer, readRow, stateOf } from './container-state.ts'
import { withDeadline } from './deadline.ts'
import { refusalOf } from './failure.ts'
import { isOwned, ownershipFilter, type Ownership } from './labels.ts'

const Rows = z.array(ContainerRow)

/** Inspects in flight at once: as many as a busy engine answers without slowing the creates down. */
const INSPECTS_AT_ONCE = 4

/** An inspect may take this part of the time that a listing has: a few stuck containers leave time for the rest. */
const INSPECT_SHARE = 1 / 6

export interface ContainerListOptions {
  readonly owner: Ownership
  readonly clock: Clock
  readonly log: Log
  /** The bound of one listing. */
  readonly callTimeoutMs: number
}

/** A container with this agent's labels that cannot be read as a runner. It still uses capacity. */
export interface Unreadable extends SlotSize {
  readonly containerId: string
  readonly why: string
}

/**
 * Reads all of our containers. The engine's list lacks times and exit codes, so each container is inspected: once
 * while it runs and once after, since what was true of it in either state stays true (nothing restarts it).
 */
export class ContainerList {
  readonly #options: ContainerListOptions
  /** Containers that the engine lists and doesn't describe (K1: calls for a single container hang). */
  readonly #stuck = new Set<string>()
  #known = new Map<string, EngineRunner>()
  #unreadable = new Map<string, Unreadable>()

  constructor(options: ContainerListOptions) {
    this.#options = options
  }

  /** Containers seen at the last reading that no runner can be made of; a person has to remove them. */
  unreadable(): readonly Unreadable[] {
    return [...this.#unreadable.values()]
  }

  /** Complete, or it throws: runners by the id of their container. */
  async read(docker: Docker, signal: AbortSignal): Promise<ReadonlyMap<string, EngineRunner>> {
    const filters = { label: ownershipFilter(this.#options.owner) }
    const rows = Rows.parse(await docker.listContainers({ all: true, filters, abortSignal: signal }))
    const ours = rows.filter((row) => isOwned(this.#options.owner, row.Labels))
    const known = new Map<string, EngineRunner>()
    const unreadable = new Map<string, Unreadable>()
    await inParallel(ours, INSPECTS_AT_ONCE, async (row) => {
      const found = this.#remembered(row) ?? (await this.#inspectInTime(docker, row, signal))
      if (found === null) return
      if ('why' in found) unreadable.set(row.Id, found)
      else known.set(row.Id, found)
    })
    const listed = new Set(ours.map((row) => row.Id))
    for (const id of this.#stuck) if (!listed.has(id)) this.#stuck.delete(id)
    this.#known = new Map([...known].filter(([id]) => !this.#stuck.has(id)))
    this.#unreadable = unreadable
    return known
  }

  #remembered(row: ContainerRow): EngineRunner | Unreadable | null {
    const unreadable = this.#unreadable.get(row.Id)
    if (unreadable !== undefined) return unreadable
    const known = this.#known.get(row.Id)
    const settled = known?.state === 'running' || known?.state === 'exited'
    return settled && known.state === stateOf(row.State) ? known : null
  }

  /**
   * The engine may hang on one container, or have lost its files, and be well otherwise: that one is told by its row,
   * and asked about again.
   */
  async #inspectInTime(
    docker: Docker,
    row: ContainerRow,
    signal: AbortSignal,
  ): Promise<EngineRunner | Unreadable | null> {
    const { clock, callTimeoutMs, log } = this.#options
    const call = { doing: `inspect container ${row.Id}`, timeoutMs: callTimeoutMs * INSPECT_SHARE }
    const timing: { late: AbortSignal | null } = { late: null }
    try {
      const found = await withDeadline(clock, call, async (late) => {
        timing.late = late
        return this.#inspect(docker, row.Id, AbortSignal.any([signal, late]))
      })
      this.#stuck.delete(row.Id)
      return found
    } catch (thrown) {
      const refused = thrown instanceof EngineError && thrown.kind === 'refused'
      if (signal.aborted || (timing.late?.aborted !== true && !refused)) throw thrown
      if (!this.#stuck.has(row.Id))
        log.emit({
          name: 'engine.container-stuck',
          container: row.Id,
          names: row.Names,
          reason: messageOf(thrown),
        })
      this.#stuck.add(row.Id)
      const told = readRow(row)
      return 'unreadable' in told ? null : told
    }
  }

  /** Null: removed since the list was made. */
  async #inspect(
    docker: Docker,
    containerId: string,
    signal: AbortSignal,
  ): Promise<EngineRunner | Unreadable | null> {
    try {
      const answer = await docker.getContainer(containerId).inspect({ abortSignal: signal })
      const container = InspectedContainer.parse(answer)
      const runner = readContainer(container)
      return 'unreadable' in runner ? this.#report(container, runner.unreadable) : runner
    } catch (thrown) {
      if (refusalOf(thrown)?.status === 404) return null
      throw thrown
    }
  }

  #report(container: InspectedContainer, why: string): Unreadable {
    this.#options.log.emit({
      name: 'engine.container-unreadable',
      container: container.Id,
      containerName: container.Name,
      reason: why,
      advice:
        'The container has the labels of this agent, but cannot be read as a runner. Its capacity stays reserved; remove it by hand.',
    })
    const { NanoCpus, Memory } = container.HostConfig
    return {
      containerId: container.Id,
      why,
      cpuMillis: Math.ceil(NanoCpus / 1_000_000),
      memoryMib: Math.ceil(Memory / 1_048_576),
    }
  }
}

/** Does `work` for every item, `width` at a time; the first failure is thrown. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
}
