import type { Generation } from './bench.ts'
import type { Spread } from './statistics.ts'

/** A figure against what it may be at most, both in ms unless said otherwise. */
export interface Verdict {
  readonly what: string
  readonly measured: number
  readonly budget: number
  readonly met: boolean
}

export function judge(what: string, measured: number, budget: number): Verdict {
  return { what, measured: Math.round(measured), budget: Math.round(budget), met: measured <= budget }
}

/** One way to run the floor; the best of them is the floor that the budgets mean. */
export interface FloorTrial {
  readonly jobs: number
  readonly atOnce: number
  readonly floorMs: Spread
}

export interface BurstsResult {
  readonly jobs: number
  readonly protocol: Generation
  /** Medians over all bursts. */
  readonly floorMs: Spread
  readonly slipwayMs: Spread
  readonly ratioP95: number
  /** CPU that Slipway's processes used for one launch, in ms. */
  readonly cpuMsPerLaunch: number
  readonly floorAtOnce: number
  readonly bursts: number
  /** Containers beyond one for each job, over all bursts. */
  readonly extra: number
  /** Null: there is no budget for v1, whose server decides much of it. */
  readonly verdict: Verdict | null
}

export interface SamplesResult {
  readonly samples: number
  readonly floorMs: Spread & { readonly mean: number }
  readonly slipwayMs: Spread & { readonly mean: number }
  readonly verdicts: readonly Verdict[]
}

/** One kill of the hub within a burst. */
export interface Restart {
  readonly moment: string
  /** The last container of the floor. */
  readonly floorMs: number
  /** When all containers ran but for the ten that may come later: ms since the jobs were queued. */
  readonly restMs: number
  readonly lastMs: number
  /** Containers that ran later than the budget allows. */
  readonly late: number
  /** Containers beyond one for each job. */
  readonly extra: number
}

export interface RestartResult {
  readonly jobs: number
  readonly restarts: readonly Restart[]
  readonly verdicts: readonly Verdict[]
}

export interface RemovalResult {
  readonly jobs: number
  /** Exits as far apart as the starts were. */
  readonly pacedMs: Spread
  /** All exits as close together as the machine can. */
  readonly atOnceMs: Spread
  /** What the engine alone takes to remove as many containers that have exited, four at a time. */
  readonly floorMs: Spread
  readonly verdict: Verdict
}

export interface PlannerResult {
  readonly hosts: number
  readonly jobs: number
  readonly templates: number
  readonly askMs: number
  readonly claimsMs: number
}

export interface MemoryResult {
  /** MB of a million bytes. */
  readonly hubMb: { readonly idle: number; readonly busy: number; readonly peak: number }
  readonly agentMb: { readonly idle: number; readonly busy: number; readonly peak: number }
  readonly containers: number
  readonly verdict: Verdict
}

/** What `--json` prints; null and [] = the part was not asked for. */
export interface Results {
  readonly machine: MachineFacts
  readonly floors: readonly FloorTrial[]
  readonly bursts: readonly BurstsResult[]
  readonly single: SamplesResult | null
  readonly fullFleet: SamplesResult | null
  readonly restart: RestartResult | null
  readonly removal: RemovalResult | null
  readonly planner: readonly PlannerResult[]
  readonly memory: MemoryResult | null
}

export interface MachineFacts {
  readonly cpus: number
  readonly cpuModel: string
  readonly memoryMib: number
  readonly kernel: string
  readonly node: string
  readonly engine: string
  readonly storageDriver: string
  /** Work of others, as the one-minute load average when the benchmark began. */
  readonly loadBefore: number
}
