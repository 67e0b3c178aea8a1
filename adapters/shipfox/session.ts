import type { SourceId, SourceLimits } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { Api } from './api.ts'
import type { ShipfoxOptions } from './options.ts'
import type { MintedUnits } from './units.ts'
import type { Generation } from './wire.ts'

/** Shared state of the calls after `authenticate`. */
export interface Session {
  readonly id: SourceId
  readonly api: Api
  readonly generation: Generation
  readonly limits: SourceLimits
  readonly units: MintedUnits
  /** Called when the server is of another generation: the next call detects it again. */
  readonly forget: () => void
  readonly foreignIds: SeenIds
  readonly options: ShipfoxOptions
  readonly clock: Clock
  readonly log: Log
}

/** Ids already logged: the server repeats the same ids about once a second. */
export class SeenIds {
  /** The server sends at most this many at a time. */
  static readonly MAX = 1000
  readonly #seen = new Set<string>()

  /** True the first time. */
  add(text: string): boolean {
    if (this.#seen.has(text)) return false
    if (this.#seen.size >= SeenIds.MAX) this.#seen.clear()
    this.#seen.add(text)
    return true
  }
}
