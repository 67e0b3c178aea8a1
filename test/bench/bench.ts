import type Docker from 'dockerode'
import type { Closers } from '../../local/closers.ts'
import type { EngineWatch } from './engine-watch.ts'

export type Generation = 'v1' | 'v2'

/** How Slipway runs: `slipway start` in one process, or hub and agent in one process each. */
export type Shape = 'together' | 'apart'

/** What all parts of one benchmark share. */
export interface Bench {
  readonly docker: Docker
  /** The gated runner's; nobody else has containers of it. */
  readonly image: string
  readonly watch: EngineWatch
  /** Where Slipway finds the engine. */
  readonly roomyAddress: string
  /** A temporary folder, removed at the end. */
  readonly folder: string
  /** Where CPU profiles go; null = none are made. */
  readonly profiles: string | null
  /** Where the logs of Slipway's processes go; null = they are not kept. */
  readonly logs: string | null
  readonly shape: Shape
  /** Aborts on Ctrl+C. */
  readonly signal: AbortSignal
  readonly closers: Closers
  readonly say: (line: string) => void
}
