import type { LiveRunner, Runner, RunnerState } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'

/** A write that is applied only if the runner is in one of the states `from`. */
export interface Transition {
  readonly from: readonly RunnerState[]
  readonly andIf?: string
  readonly set: string
  readonly remove?: string
  readonly values: Readonly<Record<string, unknown>>
  /** Whether the runner, found in another state, is in that state because this same write was applied before. */
  readonly isRepeat: (found: Runner) => boolean
}

type Request<Method extends keyof FleetStore> = Parameters<FleetStore[Method]>[0]

const LIVE_STATES: readonly LiveRunner['state'][] = ['reserved', 'dispatched', 'running']

export function dispatching({ epoch, now }: Request<'dispatchRunner'>): Transition {
  return {
    from: ['reserved'],
    set: '#state = :dispatched, #epoch = :epoch, #dispatchedAt = :now',
    values: { ':dispatched': 'dispatched', ':epoch': epoch, ':now': now },
    // Only exactly this call counts as a repeat: a launch follows, so another planner's dispatch must not count.
    isRepeat: (found) => found.state === 'dispatched' && found.epoch === epoch && found.dispatchedAt === now,
  }
}

export function starting({ startedAt }: Request<'startRunner'>): Transition {
  return {
    from: ['reserved', 'dispatched'],
    set: '#state = :running, #startedAt = :startedAt',
    remove: '#epoch, #dispatchedAt',
    values: { ':running': 'running', ':startedAt': startedAt },
    isRepeat: (found) => found.state === 'running',
  }
}

export function ending({ ending: given, only, startedAt, now }: Request<'endRunner'>): Transition {
  const { outcome, code, reason, exitCode } = given
  return {
    from: only ?? LIVE_STATES,
    set:
      '#state = :gone, #outcome = :outcome, #code = :code, #reason = :reason, #exitCode = :exitCode, ' +
      '#goneAt = :now, #stop = :null, #startedAt = if_not_exists(#startedAt, :startedAt)',
    remove: '#epoch, #dispatchedAt',
    values: {
      ':gone': 'gone',
      ':outcome': outcome,
      ':code': code,
      ':reason': reason,
      ':exitCode': exitCode,
      ':now': now,
      ':null': null,
      ':startedAt': startedAt ?? null,
    },
    isRepeat: (found) =>
      found.state === 'gone' &&
      found.outcome === outcome &&
      found.code === code &&
      found.reason === reason &&
      found.exitCode === exitCode,
  }
}

export function confirming({ epoch }: Request<'confirmRunner'>): Transition {
  return {
    from: ['dispatched'],
    andIf: '#epoch < :epoch',
    set: '#epoch = :epoch',
    values: { ':epoch': epoch },
    isRepeat: (found) => found.state === 'dispatched' && found.epoch === epoch,
  }
}

export function stopping({ stop }: Request<'orderStop'>): Transition {
  return {
    from: LIVE_STATES,
    andIf: '#stop = :null',
    set: '#stop = :stop',
    values: { ':stop': { reason: stop.reason, requestedAt: stop.requestedAt }, ':null': null },
    isRepeat: (found) => found.state !== 'gone' && found.stop?.reason === stop.reason,
  }
}
