import type { Fence, HostId, RunnerId } from '../ids.ts'
import { error, type Failure, info, type Thrown, warn } from './definition.ts'

/** What the control loop sees at one moment. A look without the lease knows no hosts, and sees no waiting job. */
export interface LoopFacts {
  /** Something waits, is reserved or runs, or did within the last minute. */
  readonly working: boolean
  readonly hostsOnline?: number
  readonly hostsOffline?: number
  readonly running: number
  readonly waiting: number
  readonly waitingNoRoom?: number
  readonly waitingNoTemplate?: number
  readonly waitingOther?: number
  /** Age of the oldest job that no runner is reserved for; 0 = none. */
  readonly oldestWaitingMs?: number
  /** Time since the loop last looked at the fleet. */
  readonly lagMs: number
  /** Sources that fail, or refuse the token. */
  readonly sourcesFailing: number
}

export interface AuditViolation {
  /** Number of the broken invariant. */
  readonly invariant: number
  readonly host: HostId
  readonly slots: number
  readonly cpuMillis: number
  readonly memoryMib: number
  readonly capacity: { readonly runners: number; readonly cpuMillis: number; readonly memoryMib: number }
}

type LoopLeft = 'handed-over' | 'yielded' | 'quiet'
type LoopEnd = LoopLeft | 'stopped' | 'not-leader' | 'lost'

/** Events of the hub about itself: its lease, its control loop, its sweep, its store and its API. */
export const HUB_EVENTS = {
  'agent.message-refused': error<Failure & { host: HostId; code: string }>(),
  /** `host`: the one that the token names; null = the token names none. */
  'agent.refused': warn<{ host: HostId | null; known: boolean }>(),
  'api.refused': info<{ path: string; status: number; code: string }>(),
  'audit.host-added': info<{ by: string; host: HostId; tags: readonly string[] }>(),
  'audit.host-removed': info<{ by: string; host: HostId; runners: number }>(),
  'audit.templates-stored': info<{ by: string; version: number; templates: number }>(),
  'audit.violation': error<AuditViolation>(),
  'gateway.connect-failed': error<Failure>(),
  'gateway.handler-failed': error<Failure & { route: string }>(),
  'gateway.socket-error': warn<Failure>(),
  'hub.draining': info<{ runners: number; stayUntil: 'handed-over' | 'launched' | 'ended' }>(),
  'hub.leaving': info<{ reason: LoopLeft; runners: number }>(),
  'hub.listening': info<{ url: string; hosts: number }>(),
  'hub.loop-ended': info<{ end: LoopEnd }>(),
  'hub.loop-failed': error<Failure & Thrown & { failures: number }>(),
  'hub.sweep-failed': error<Failure & Thrown>(),
  'launch.delivery-unknown': warn<Thrown & { host: HostId; launches: number }>(),
  'lease.lost': warn<{ fence: Fence }>(),
  'lease.released': info<{ fence: Fence; reason: LoopLeft | 'stopped' }>(),
  'lease.renewal-failed': warn<Thrown>(),
  'lease.taken': info<{ holder: string; fence: Fence }>(),
  'lease.yield-asked': info<{ holder: string; build: string }>(),
  'loop.alive': info<LoopFacts>(),
  'loop.stuck': error<LoopFacts>(),
  'slot.orphan-freed': warn<{ host: HostId; runner: RunnerId }>(),
  /** The ids are those of the item's key: null = it names none; absent = the item was read as part of another step. */
  'store.item-unreadable': error<Failure & { host?: HostId | null; runner?: RunnerId | null }>(),
  'sweep.done': info<{
    hostsOnline: number
    hostsOffline: number
    violations: number
    removed: number
    failures: number
  }>(),
  'templates.in-force': info<{ version: number; templates: number }>(),
  'templates.unreadable': error<Failure>(),
  'tick.ended': info<{ end: LoopEnd | 'held' | 'idle'; lateMs: number }>(),
}
