import type { SourceId, SourceLimits } from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { Api } from './api.ts'
import type { ShipfoxOptions } from './options.ts'
import type { MintedUnits } from './units.ts'
import type { Generation } from './wire.ts'

/** What the calls after `authenticate` know. */
export interface Session {
  readonly id: SourceId
  readonly api: Api
  readonly generation: Generation
  readonly limits: SourceLimits
  readonly units: MintedUnits
  /** The server has turned out to be of another generation: the next call looks again. */
  readonly forget: () => void
  readonly foreignIds: ToldOnce
  readonly options: ShipfoxOptions
  readonly clock: Clock
  readonly log: Log
}

/** The server repeats the same ids about once a second: the log needs each of them once. */
export class ToldOnce {
  /** The server names at most this many at a time. */
  static readonly MAX = 1000
  readonly #told = new Set<string>()

  /** True the first time. */
  add(text: string): boolean {
    if (this.#told.has(text)) return false
    if (this.#told.size >= ToldOnce.MAX) this.#told.clear()
    this.#told.add(text)
    return true
  }
}
