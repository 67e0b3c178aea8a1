import {
  truncate,
  messageOf,
  type PullPolicy,
  REASON_MAX_CHARACTERS,
  type ReportedImage,
} from '../../core/model/index.ts'
import type { Clock, Log, Randomness } from '../../core/ports/index.ts'
import { BACKOFF, backoffMs } from '../../core/concurrency/backoff.ts'
import { EngineError, type Engine } from '../engines/engine.ts'
import { createLimiter } from '../../core/concurrency/limit.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Tasks } from '../background-tasks.ts'
import { aborted } from '../../core/concurrency/aborted.ts'
import { Notify } from '../../core/concurrency/notify.ts'

/** Two pulls at a time, so that one slow registry does not block the other images. */
const PULLS_AT_ONCE = 2
/** No pull may take longer; an image of 20 GB at 20 MB/s stays below. */
export const PULL_MAX_MS = 30 * 60_000
/** How often to check that wanted images are still present: someone may have pruned them. */
const CHECK_EVERY_MS = 60_000
const LOOP_EVERY_MS = 5_000

export interface WantedImage {
  readonly image: string
  readonly pull: PullPolicy
}

interface Holding {
  present: boolean
  checkedAtMs: number | null
  /** When this agent last pulled it, or what the engine said when it was first checked; null = unknown. */
  pulledAtMs: number | null
  pulling: Promise<void> | null
  failures: number
  failure: { readonly reason: string; readonly retryAtMs: number } | null
}

export interface ImagesDeps {
  readonly engine: Engine
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  readonly tasks: Tasks
  readonly events: RunnerEvents
}

/** The images of this host: those that the hub wants, and those that launches ask for. */
export class Images {
  readonly #deps: ImagesDeps
  readonly #holdings = new Map<string, Holding>()
  readonly #pulls = createLimiter(PULLS_AT_ONCE)
  readonly #changed = new Notify()
  #wanted = new Map<string, PullPolicy>()
  #wantedBy: string | null = null
  #stopping = new AbortController().signal

  constructor(deps: ImagesDeps) {
    this.#deps = deps
  }

  get wanted(): readonly string[] {
    return [...this.#wanted.keys()]
  }

  isWanted(image: string): boolean {
    return this.#wanted.has(image)
  }

  /** Null: not checked yet. */
  status(image: string): ReportedImage | null {
    return statusOf(this.#holdings.get(image), this.#deps.clock.monotonicMs())
  }

  /** Sets the images that the hub wants kept. Parts of one list carry the same `command`; a new one begins a new list. */
  want(command: string, images: readonly WantedImage[]): void {
    if (command !== this.#wantedBy) this.#wanted = new Map()
    this.#wantedBy = command
    for (const { image, pull } of images) {
      this.#wanted.set(image, pull)
      this.#noteChange(image)
    }
    this.#changed.notify()
  }

  /** Resolves when the image may be used under its policy. Joins a pull that is under way. Throws `EngineError`. */
  async ensure({ image, pull }: WantedImage, signal: AbortSignal): Promise<void> {
    const work = pull.kind === 'always' ? this.#pull(image) : this.#ensurePresent(image)
    await orAborted(work, signal, image)
  }

  /** The engine reported that the image is not present. */
  forget(image: string): void {
    Object.assign(this.#holdingOf(image), { present: false, pulledAtMs: null })
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#stopping = signal
    while (!signal.aborted) {
      for (const [image, policy] of this.#wanted) {
        if (this.#isDue(image, policy) !== null) this.#updateQuietly(image, policy)
      }
      for (const [image, { pulling }] of this.#holdings) {
        if (pulling === null && !this.#wanted.has(image)) this.#holdings.delete(image)
      }
      await this.#changed.wait(this.#deps.clock, LOOP_EVERY_MS, signal)
    }
  }

  #noteChange(image: string): void {
    this.#deps.events.publish({ kind: 'image-changed', image })
  }

  #holdingOf(image: string): Holding {
    const held = this.#holdings.get(image)
    if (held !== undefined) return held
    const fresh: Holding = {
      present: false,
      checkedAtMs: null,
      pulledAtMs: null,
      pulling: null,
      failures: 0,
      failure: null,
    }
    this.#holdings.set(image, fresh)
    return fresh
  }

  async #check(image: string): Promise<void> {
    const holding = this.#holdingOf(image)
    const found = await this.#deps.engine.image(image)
    const first = holding.checkedAtMs === null
    const changed = first || holding.present !== (found !== null)
    holding.checkedAtMs = this.#deps.clock.monotonicMs()
    holding.present = found !== null
    if (found !== null) Object.assign(holding, { failures: 0, failure: null })
    if (found !== null && found.pulledAt !== null && holding.pulledAtMs === null) {
      holding.pulledAtMs =
        this.#deps.clock.monotonicMs() - Math.max(0, this.#deps.clock.now() - found.pulledAt)
    }
    if (changed && found !== null) this.#noteChange(image)
  }

  /** One pull at a time per image: callers that need it meanwhile wait for the same pull. */
  async #pull(image: string): Promise<void> {
    const holding = this.#holdingOf(image)
    holding.pulling ??= this.#pullNow(image, holding)
    await holding.pulling
  }

  async #pullNow(image: string, holding: Holding): Promise<void> {
    this.#deps.log.emit({ name: 'image.pulling', image })
    this.#noteChange(image)
    try {
      const signal = AbortSignal.any([this.#stopping, AbortSignal.timeout(PULL_MAX_MS)])
      await this.#pulls(async () => this.#deps.engine.pull(image, signal))
      Object.assign(holding, {
        present: true,
        failures: 0,
        failure: null,
        pulledAtMs: this.#deps.clock.monotonicMs(),
      })
      holding.checkedAtMs = holding.pulledAtMs
      this.#deps.log.emit({ name: 'image.present', image })
    } catch (error) {
      holding.failures += 1
      const retryInMs = backoffMs(BACKOFF.imagePull, holding.failures, this.#deps.random.unit())
      holding.failure = { reason: messageOf(error), retryAtMs: this.#deps.clock.monotonicMs() + retryInMs }
      this.#deps.log.emit({ name: 'image.failed', image, reason: messageOf(error), retryInMs })
      throw error
    } finally {
      holding.pulling = null
      this.#noteChange(image)
    }
  }

  #isDue(image: string, policy: PullPolicy): 'check' | 'pull' | null {
    const holding = this.#holdingOf(image)
    const now = this.#deps.clock.monotonicMs()
    if (holding.pulling !== null) return null
    if (holding.failure !== null) {
      // A person may have loaded the image by hand, which fixes it at once.
      if (!holding.present && now - (holding.checkedAtMs ?? 0) >= LOOP_EVERY_MS) return 'check'
      return holding.failure.retryAtMs <= now ? 'pull' : null
    }
    if (holding.checkedAtMs === null || now - holding.checkedAtMs > CHECK_EVERY_MS) return 'check'
    if (!holding.present) return 'pull'
    const stale =
      policy.kind === 'ttl' && now - (holding.pulledAtMs ?? Number.NEGATIVE_INFINITY) > policy.ttlMs
    return stale ? 'pull' : null
  }

  async #update(image: string, policy: PullPolicy): Promise<void> {
    if (this.#isDue(image, policy) === 'check') await this.#check(image)
    if (this.#isDue(image, policy) === 'pull') await this.#pull(image)
  }

  #updateQuietly(image: string, policy: PullPolicy): void {
    this.#deps.tasks.start('image', async () => {
      try {
        await this.#update(image, policy)
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        // A failed pull is recorded in `holding.failure`; the watcher reports an unreachable engine.
      }
    })
  }

  async #ensurePresent(image: string): Promise<void> {
    const holding = this.#holdingOf(image)
    if (holding.present) return
    if (holding.pulling === null) await this.#check(image)
    if (!this.#holdingOf(image).present) await this.#pull(image)
  }
}

function statusOf(holding: Holding | undefined, nowMs: number): ReportedImage | null {
  if (holding === undefined) return null
  // An image can be used while it is refreshed.
  if (holding.present) return { state: 'present' }
  if (holding.pulling !== null) return { state: 'pulling' }
  if (holding.failure === null) return null
  const { reason, retryAtMs } = holding.failure
  return {
    state: 'failed',
    reason: truncate(reason, REASON_MAX_CHARACTERS),
    retryInMs: Math.max(0, Math.round(retryAtMs - nowMs)),
  }
}

/** Waits for shared work only until the signal aborts; the work continues for others. */
async function orAborted(work: Promise<void>, signal: AbortSignal, image: string): Promise<void> {
  const settled = new AbortController()
  const done = work.then(() => true)
  const late = aborted(AbortSignal.any([signal, settled.signal])).then(() => false)
  try {
    if (await Promise.race([done, late])) return
  } finally {
    settled.abort()
  }
  throw new EngineError('registry-unavailable', `${image} was not pulled in time.`)
}
