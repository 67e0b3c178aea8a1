import { type GoneRunner, type LiveRunner, type Moved, type Runner, mayMove } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, runnerName, type State } from './state.ts'

type RunnerMethods = Pick<
  FleetStore,
  | 'putRunner'
  | 'getRunner'
  | 'listLiveRunners'
  | 'dispatchRunner'
  | 'startRunner'
  | 'endRunner'
  | 'forgetRunner'
  | 'confirmRunner'
  | 'orderStop'
>

export function runnerMethods(state: State): RunnerMethods {
  const find = (host: Runner['host'], id: Runner['id']): Runner | null =>
    state.runners.get(runnerName(host, id))?.value ?? null

  const write = (value: Runner, now: number): Moved => {
    state.runners.set(runnerName(value.host, value.id), { value: copy(value), changedAt: now })
    return { moved: true, runner: copy(value) }
  }

  return {
    async putRunner(runner, now) {
      const found = find(runner.host, runner.id)
      if (found === null) write(runner, now)
      return found === null || isEqual(found, runner) ? null : copy(found)
    },

    async getRunner(host, id) {
      return copy(find(host, id))
    },

    async listLiveRunners(host) {
      const runners = [...state.runners.values()].map(({ value }) => value)
      const isMine = (runner: Runner): runner is LiveRunner => runner.host === host && isLive(runner)
      return { runners: copy(runners.filter(isMine)), unreadable: [] }
    },

    async dispatchRunner({ host, id, epoch, now }) {
      const found = find(host, id)
      if (found?.state === 'reserved') {
        return write({ ...found, state: 'dispatched', epoch, dispatchedAt: now }, now)
      }
      const isRepeat = found?.state === 'dispatched' && found.epoch === epoch && found.dispatchedAt === now
      return { moved: isRepeat, runner: copy(found) }
    },

    async startRunner({ host, id, startedAt, now }) {
      const found = find(host, id)
      if (found?.state === 'reserved' || found?.state === 'dispatched') {
        return write({ ...factsOf(found), state: 'running', startedAt }, now)
      }
      return { moved: found?.state === 'running', runner: copy(found) }
    },

    async forgetRunner({ host, id }) {
      if (find(host, id)?.state === 'gone') state.runners.delete(runnerName(host, id))
    },

    async endRunner({ host, id, ending, only, startedAt, now }) {
      const found = find(host, id)
      if (found !== null && isLive(found) && (only ?? [found.state]).includes(found.state)) {
        const began = found.state === 'running' ? found.startedAt : (startedAt ?? null)
        return write({ ...gone(found, ending, now), startedAt: began }, now)
      }
      return { moved: found?.state === 'gone' && isSameEnding(found, ending), runner: copy(found) }
    },

    async confirmRunner({ host, id, epoch, now }) {
      const found = find(host, id)
      if (found?.state === 'dispatched' && found.epoch < epoch) return write({ ...found, epoch }, now)
      return { moved: found?.state === 'dispatched' && found.epoch === epoch, runner: copy(found) }
    },

    async orderStop({ host, id, stop, now }) {
      const found = find(host, id)
      if (found !== null && isLive(found) && found.stop === null) {
        return write({ ...found, stop: copy(stop) }, now)
      }
      const isRepeat = found !== null && isLive(found) && found.stop?.reason === stop.reason
      return { moved: isRepeat, runner: copy(found) }
    },
  }
}

function isLive(runner: Runner): runner is LiveRunner {
  return mayMove(runner.state, 'gone')
}

function gone(
  runner: LiveRunner,
  { outcome, code, reason, exitCode }: Parameters<FleetStore['endRunner']>[0]['ending'],
  now: number,
): Omit<GoneRunner, 'startedAt'> {
  return { ...factsOf(runner), state: 'gone', stop: null, outcome, code, reason, exitCode, goneAt: now }
}

function isSameEnding(found: GoneRunner, ending: Parameters<FleetStore['endRunner']>[0]['ending']): boolean {
  return (
    found.outcome === ending.outcome &&
    found.code === ending.code &&
    found.reason === ending.reason &&
    found.exitCode === ending.exitCode
  )
}

/** The fields that a runner has in every state. */
function factsOf(runner: Runner) {
  const { id, template, host, source, labels, reservation, reservedAt, stop, cpuMillis, memoryMib } = runner
  return { id, template, host, source, labels, reservation, reservedAt, stop, cpuMillis, memoryMib }
}

/** Ignores the order of fields. */
function isEqual(left: unknown, right: unknown): boolean {
  return JSON.stringify(left, sorted) === JSON.stringify(right, sorted)
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
