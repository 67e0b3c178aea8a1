import { statfs } from 'node:fs/promises'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { EngineState } from './engine-state.ts'

/** Total and free space of a disk. `files` are inodes; 0 = this file system has no limit. */
export interface DiskRoom {
  readonly bytes: number
  readonly freeBytes: number
  readonly files: number
  readonly freeFiles: number
}

/** Jobs write fast: with less free space, the next job would fail. A small disk has a lower limit. */
const FREE_BYTES_MIN = 2 * 1024 ** 3
const FREE_BYTES_SHARE_MIN = 0.05
const FREE_FILES_SHARE_MIN = 0.02
/** The disk counts as recovered above the limit times this factor, so that the state does not change with every job. */
const RECOVERED = 1.25
/** A disk of a few GB takes longer than this to fill. */
const CHECK_EVERY_MS = 5_000

/** What a disk lacks for one more runner, as the rest of a sentence; null = nothing. `factor` raises the limit. */
export function shortageOf(room: DiskRoom, factor = 1): string | null {
  const floorBytes = factor * Math.min(FREE_BYTES_MIN, room.bytes * FREE_BYTES_SHARE_MIN)
  if (room.freeBytes < floorBytes) {
    return `has ${mib(room.freeBytes)} MiB left, but runners need ${mib(floorBytes)} MiB`
  }
  const floorFiles = factor * room.files * FREE_FILES_SHARE_MIN
  if (room.freeFiles >= floorFiles) return null
  return `has ${room.freeFiles} inodes left, but runners need ${Math.ceil(floorFiles)}`
}

function mib(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2)
}

/** Null: the folder is not on this machine, for example because the engine runs in a virtual machine. */
export async function measureDisk(folder: string): Promise<DiskRoom | null> {
  try {
    const { bsize, blocks, bavail, files, ffree } = await statfs(folder)
    return { bytes: bsize * blocks, freeBytes: bsize * bavail, files, freeFiles: ffree }
  } catch {
    // An unknown disk must not keep the host from taking jobs.
    return null
  }
}

export interface DiskGuardDeps {
  readonly clock: Clock
  readonly log: Log
  readonly events: RunnerEvents
  /** Names the folder that containers and images fill. */
  readonly engineState: EngineState
  readonly measure: (folder: string) => Promise<DiskRoom | null>
}

/** Watches the disk of the containers: a host with a full disk takes no runners, instead of failing each one (K5). */
export interface DiskGuard {
  readonly isShort: boolean
  /** Checks now; an unknown folder counts as having space. */
  check(): Promise<void>
  run(signal: AbortSignal): Promise<void>
}

export function createDiskGuard(deps: DiskGuardDeps): DiskGuard {
  const { clock, log, events, engineState, measure } = deps
  let isShort = false

  async function check(): Promise<void> {
    const path = engineState.facts?.storage ?? null
    const room = path === null ? null : await measure(path)
    const shortage = room === null ? null : shortageOf(room, isShort ? RECOVERED : 1)
    if (isShort === (shortage !== null)) return
    isShort = shortage !== null
    const problem = shortage === null ? null : `The disk of ${path} ${shortage}: free some space.`
    events.publish({ kind: 'part-checked', part: 'disk', problem })
    if (shortage === null) log.emit({ name: 'host.disk-roomy', folder: path })
    else log.emit({ name: 'host.disk-short', folder: path, reason: shortage })
  }

  return {
    get isShort() {
      return isShort
    },
    check,
    async run(signal) {
      while (!signal.aborted) {
        await check()
        await clock.sleep(CHECK_EVERY_MS, signal)
      }
    },
  }
}
