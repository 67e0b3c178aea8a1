import type { RunnerId } from '../../core/model/index.ts'

/* What the hub has yet to hear and to acknowledge. Pure bookkeeping: it neither sends nor asks the time. */

/** Messages on their way at once: enough to hide a round trip, few enough to be resent. */
const IN_FLIGHT_MAX = 4
/** Black boxes kept while the hub is away, in parts; beyond it the oldest is dropped. */
const BLACK_BOX_PARTS_MAX = 100

export interface BlackBoxPart {
  readonly runner: RunnerId
  readonly part: number
  readonly parts: number
  readonly text: string
}

/** What one message carries, so that its ack can be read. Versions tell what has changed since. */
export type Cargo =
  | { readonly kind: 'runners'; readonly versions: ReadonlyMap<RunnerId, number> }
  | { readonly kind: 'images'; readonly versions: ReadonlyMap<string, number> }
  | { readonly kind: 'black-box'; readonly part: BlackBoxPart }
  | { readonly kind: 'heartbeat' }

export interface InFlight {
  readonly seq: number
  readonly cargo: Cargo
  readonly sentAtMs: number
}

/** Keeps what is to be said until it is acknowledged, whatever happens to messages and sessions on the way. */
export class Outbox {
  readonly #runners = new Map<RunnerId, number>()
  readonly #images = new Map<string, number>()
  #blackBoxes: readonly BlackBoxPart[] = []
  readonly #flying = new Map<number, InFlight>()
  #lastSeq = 0
  #imageVersion = 0

  /** The hub should hear of this runner; only its furthest version is ever sent. */
  addRunner(runner: RunnerId, version: number): void {
    this.#runners.set(runner, Math.max(version, this.#runners.get(runner) ?? 0))
  }

  addImage(image: string): void {
    this.#imageVersion += 1
    this.#images.set(image, this.#imageVersion)
  }

  addBlackBox(parts: readonly BlackBoxPart[]): void {
    this.#blackBoxes = [...this.#blackBoxes, ...parts].slice(-BLACK_BOX_PARTS_MAX)
  }

  /** A new session: whatever was on its way is to be said again, and numbers start at 1. */
  begin(): void {
    this.#flying.clear()
    this.#lastSeq = 0
  }

  /** Numbers a message that is being sent now. */
  send(cargo: Cargo, sentAtMs: number): number {
    this.#lastSeq += 1
    this.#flying.set(this.#lastSeq, { seq: this.#lastSeq, cargo, sentAtMs })
    return this.#lastSeq
  }

  /** Null: not on its way (a repeat, or from another session). */
  ack(seq: number): Cargo | null {
    const acked = this.#flying.get(seq)
    if (acked === undefined) return null
    this.#flying.delete(seq)
    this.#settle(acked.cargo)
    return acked.cargo
  }

  get hasRoom(): boolean {
    return this.#flying.size < IN_FLIGHT_MAX
  }

  get inFlight(): readonly InFlight[] {
    return [...this.#flying.values()]
  }

  isInFlight(seq: number): boolean {
    return this.#flying.has(seq)
  }

  /** Everything about runners is said and acknowledged; images are worth no waiting. */
  get empty(): boolean {
    return this.#runners.size === 0 && this.#blackBoxes.length === 0
  }

  /** Not acknowledged, and not on their way in this version. */
  pendingRunners(): ReadonlyMap<RunnerId, number> {
    const flying = this.#cargo.flatMap((cargo) => (cargo.kind === 'runners' ? [cargo.versions] : []))
    return unsaid(this.#runners, flying)
  }

  pendingImages(): ReadonlyMap<string, number> {
    const flying = this.#cargo.flatMap((cargo) => (cargo.kind === 'images' ? [cargo.versions] : []))
    return unsaid(this.#images, flying)
  }

  pendingBlackBoxes(): readonly BlackBoxPart[] {
    const flying = new Set(this.#cargo.map((cargo) => (cargo.kind === 'black-box' ? cargo.part : null)))
    return this.#blackBoxes.filter((part) => !flying.has(part))
  }

  get #cargo(): readonly Cargo[] {
    return [...this.#flying.values()].map(({ cargo }) => cargo)
  }

  #settle(cargo: Cargo): void {
    switch (cargo.kind) {
      case 'runners':
        return dropSaid(this.#runners, cargo.versions)
      case 'images':
        return dropSaid(this.#images, cargo.versions)
      case 'black-box':
        this.#blackBoxes = this.#blackBoxes.filter((part) => part !== cargo.part)
        return
      case 'heartbeat':
        return
      default:
        return cargo satisfies never
    }
  }
}

/** Forgets what was acknowledged, unless it has changed since it was sent. */
function dropSaid<Key>(waiting: Map<Key, number>, said: ReadonlyMap<Key, number>): void {
  for (const [key, version] of said) {
    if ((waiting.get(key) ?? Number.POSITIVE_INFINITY) <= version) waiting.delete(key)
  }
}

function unsaid<Key>(
  waiting: ReadonlyMap<Key, number>,
  flying: readonly ReadonlyMap<Key, number>[],
): ReadonlyMap<Key, number> {
  const isSaid = ([key, version]: [Key, number]): boolean =>
    flying.some((versions) => (versions.get(key) ?? 0) >= version)
  return new Map([...waiting].filter((pair) => !isSaid(pair)))
}
