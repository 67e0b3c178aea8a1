import type { EpochMs, GoneRunner, Runner, RunnerReport } from '../model/index.ts'

/** The report of a runner's current state to its source; null = there is nothing to report yet. */
export function reportOf(runner: Runner, now: EpochMs): RunnerReport | null {
  const facts = {
    id: runner.id,
    template: runner.template,
    labels: runner.labels,
    reservation: runner.reservation?.id ?? null,
  }
  switch (runner.state) {
    case 'reserved':
      return null
    case 'dispatched':
      return { ...facts, state: 'starting', reason: null, at: now }
    case 'running':
      return {
        ...facts,
        state: runner.stop === null ? 'running' : 'stopping',
        reason: runner.stop?.reason ?? null,
        at: now,
      }
    case 'gone':
      return { ...facts, state: endState(runner), reason: runner.reason, at: runner.goneAt }
  }
}

function endState(runner: GoneRunner): RunnerReport['state'] {
  if (runner.outcome === 'finished') return 'stopped'
  return runner.code === 'stopped' ? 'terminated' : 'failed'
}
