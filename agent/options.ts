import type { HostId, Secret } from '../core/model/index.ts'
import type { Clock, Log, Randomness } from '../core/ports/index.ts'
import type { DiskRoom } from './host/disk.ts'
import type { Engine } from './engines/engine.ts'

/** Upper limits that the owner sets for this host; an absent one is the machine's own capacity. */
export interface HostCaps {
  readonly cpuMillis?: number
  readonly memoryMib?: number
  readonly runners?: number
}

/** How long, and how many, failed containers are kept stopped for inspection. `max` 0 = none. */
export interface Retention {
  readonly ms: number
  readonly max: number
}

export interface AgentOptions {
  readonly host: HostId
  /** `ws://` or `wss://`, path included. */
  readonly hubUrl: string
  readonly token: Secret
  readonly engine: Engine
  /** Identity of this installation, from `openInstallationId(dataDir)`; the engine labels containers with it. */
  readonly install: string
  /** Holds the journal and the lock. */
  readonly dataDir: string
  readonly caps: HostCaps
  readonly retention: Retention
  readonly clock: Clock
  readonly random: Randomness
  readonly log: Log
  readonly agentVersion: string
  /** How the disk of the engine is measured; default: `statfs`. */
  readonly measureDisk?: (folder: string) => Promise<DiskRoom | null>
}

export interface Agent {
  /**
   * Serves its host until the signal aborts, then flushes its reports for a few seconds and resolves; running jobs
   * continue. Throws `agent-locked` (another agent serves this data folder), `agent-token-refused` (before any session
   * ever), or a goodbye that needs a person's action (`agent-host-unknown`, `agent-install-mismatch`, …).
   */
  run(signal: AbortSignal): Promise<void>
}
