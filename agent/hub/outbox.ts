import type { RunnerId } from '../../core/model/index.ts'

/* What the hub has not acknowledged yet. Pure: no I/O, no clock. */

/** Messages in flight at once: enough to hide a round trip, few enough to resend. */
const IN_FLIGHT_MAX = 4
/** Parts of crash reports kept while the hub is unreachable; beyond this, the oldest are dropped. */
const CRASH_REPORT_PARTS_MAX = 100

export interface CrashReportPart {
  readonly runner: RunnerId
  readonly part: number
  readonly parts: number
  readonly text: string
}

/** What one message carries, so that its ack can be applied. Versions show what has changed since it was sent. */
export type Payload =
  | { readonly kind: 'runners'; readonly versions: ReadonlyMap<RunnerId, number> }
  | { readonly kind: 'images'; readonly versions: ReadonlyMap<string, number> }
  | { readonly kind: 'crash-report'; readonly part: CrashReportPart }
  | { readonly kind: 'heartbeat' }

export interface InFlight {
  readonly seq: number
  readonly payload: Payload
  readonly sentAtMs: number
}

/** Keeps what is to be sent until it is acknowledged, across lost messages and sessions. */
export class Outbox {
  readonly #runners = new Map<RunnerId, number>()
  readonly #images = new Map<string, number>()
  #crashReports: readonly CrashReportPart[] = []
  readonly #inFlight = new Map<number, InFlight>()
  #lastSeq = 0
  #imageVersion = 0

  /** Queues this runner for a report; only its newest version is sent. */
  addRunner(runner: RunnerId, version: number): void {
    this.#runners.set(runner, Math.max(version, this.#runners.get(runner) ?? 0))
  }

  addImage(image: string): void {
    this.#imageVersion += 1
    this.#images.set(image, this.#imageVersion)
  }

  addCrashReport(parts: readonly CrashReportPart[]): void {
    this.#crashReports = [...this.#crashReports, ...parts].slice(-CRASH_REPORT_PARTS_MAX)
  }

  /** A new session: whatever was in flight is sent again, and sequence numbers start at 1. */
  begin(): void {
    this.#inFlight.clear()
    this.#lastSeq = 0
  }

  /** Numbers a message that is being sent now. */
  send(payload: Payload, sentAtMs: number): number {
    this.#lastSeq += 1
    this.#inFlight.set(this.#lastSeq, { seq: this.#lastSeq, payload, sentAtMs })
    return this.#lastSeq
  }

  /** Null: not in flight (a repeated ack, or one from another session). */
  ack(seq: number): Payload | null {
    const acked = this.#inFlight.get(seq)
    if (acked === undefined) return null
    this.#inFlight.delete(seq)
    this.#settle(acked.payload)
    return acked.payload
  }

  get hasRoom(): boolean {
    return this.#inFlight.size < IN_FLIGHT_MAX
  }

  get inFlight(): readonly InFlight[] {
    return [...this.#inFlight.values()]
  }

  isInFlight(seq: number): boolean {
    return this.#inFlight.has(seq)
  }

  /** Everything about runners is acknowledged. Images do not count: a shutdown does not wait for them. */
  get empty(): boolean {
    return this.#runners.size === 0 && this.#crashReports.length === 0
  }

  /** Neither acknowledged nor in flight in their current version. */
  pendingRunners(): ReadonlyMap<RunnerId, number> {
    const inFlight = this.#payloads.flatMap((payload) =>
      payload.kind === 'runners' ? [payload.versions] : [],
    )
    return unsent(this.#runners, inFlight)
  }

  pendingImages(): ReadonlyMap<string, number> {
    const inFlight = this.#payloads.flatMap((payload) =>
      payload.kind === 'images' ? [payload.versions] : [],
    )
    return unsent(this.#images, inFlight)
  }

  pendingCrashReports(): readonly CrashReportPart[] {
    const inFlight = new Set(
      this.#payloads.map((payload) => (payload.kind === 'crash-report' ? payload.part : null)),
    )
    return this.#crashReports.filter((part) => !inFlight.has(part))
  }

  get #payloads(): readonly Payload[] {
    return [...this.#inFlight.values()].map(({ payload }) => payload)
  }

  #settle(payload: Payload): void {
    switch (payload.kind) {
      case 'runners':
        return dropAcked(this.#runners, payload.versions)
      case 'images':
        return dropAcked(this.#images, payload.versions)
      case 'crash-report':
        this.#crashReports = this.#crashReports.filter((part) => part !== payload.part)
        return
      case 'heartbeat':
        return
      default:
        return payload satisfies never
    }
  }
}

/** Removes what was acknowledged, unless it has changed since it was sent. */
function dropAcked<Key>(waiting: Map<Key, number>, acked: ReadonlyMap<Key, number>): void {
  for (const [key, version] of acked) {
    if ((waiting.get(key) ?? Number.POSITIVE_INFINITY) <= version) waiting.delete(key)
  }
}

function unsent<Key>(
  waiting: ReadonlyMap<Key, number>,
  inFlight: readonly ReadonlyMap<Key, number>[],
): ReadonlyMap<Key, number> {
  const isSent = ([key, version]: [Key, number]): boolean =>
    inFlight.some((versions) => (versions.get(key) ?? 0) >= version)
  return new Map([...waiting].filter((pair) => !isSent(pair)))
}
