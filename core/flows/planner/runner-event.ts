import {
  type EpochMs,
  type LogEvent,
  type Runner,
  type RunningRunner,
  type StartTimes,
  unreachable,
} from '../../model/index.ts'

/**
 * What is logged of a runner that has just reached its state. `queuedAt`: when the oldest job of its labels was queued,
 * since which job a runner will take is not known; null for a runner that an earlier holder reserved.
 */
export function runnerEvent(runner: Runner, queuedAt: EpochMs | null): LogEvent {
  const { id, template, host, source, labels } = runner
  const fields = { runner: id, template, host, source, labels }
  switch (runner.state) {
    case 'reserved':
      return { name: 'runner.reserved', ...fields }
    case 'dispatched':
      return { name: 'runner.dispatched', ...fields }
    case 'running':
      return { name: 'runner.running', ...fields, ...startTimes(runner, queuedAt) }
    case 'gone': {
      const { outcome, code, reason, exitCode, startedAt, goneAt } = runner
      return { name: 'runner.gone', ...fields, outcome, code, reason, exitCode, startedAt, goneAt }
    }
    default:
      return unreachable(runner)
  }
}

function startTimes({ startedAt, reservedAt }: RunningRunner, queuedAt: EpochMs | null): StartTimes {
  const reservedMs = Math.max(0, startedAt - reservedAt)
  return queuedAt === null ? { reservedMs } : { reservedMs, queuedMs: Math.max(0, startedAt - queuedAt) }
}
