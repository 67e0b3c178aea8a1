import type { LaunchOrder, ReportedEnd } from '../../../core/model/index.ts'

/** What an agent knows of one runner that it accepted. */
export interface SimContainer {
  readonly order: LaunchOrder
  phase: 'accepted' | 'running' | 'exited' | 'refused'
  startedAtMs: number | null
  end: ReportedEnd | null
  cleared: boolean
}

export const FINISHED: ReportedEnd = {
  outcome: 'finished',
  code: 'exited',
  reason: 'It ended well.',
  exitCode: 0,
}
export const STOPPED = failure('stopped', 'It was stopped.')
export const NOT_STARTED = failure('engine-failed', 'It would not start.')
export const NEVER_ARRIVED = failure('never-arrived', 'Never seen.')

function failure(code: ReportedEnd['code'], reason: string): ReportedEnd {
  return { outcome: 'failed', code, reason, exitCode: null }
}
