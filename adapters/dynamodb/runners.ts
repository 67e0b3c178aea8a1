import type { EpochMs, HostId, LiveRunner, Moved, Runner, RunnerId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { fleetOf } from './fleet.ts'
import { parseItem, RunnerItem } from './items.ts'
import { hostPartition, RUNNER_PREFIX, runnerKey } from './keys.ts'
import { confirming, dispatching, ending, type Move, starting, stopping } from './runner-transitions.ts'
import type { Row, Rows } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { SET_TOLD, told, toldValues } from './change-index.ts'

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

export function runnerMethods(rows: Rows): RunnerMethods {
  return {
    async putRunner(runner, now) {
      const key = runnerKey(runner.host, runner.id)
      const item = RunnerItem.parse(runner)
      assertFits('runner', key, item)
      const row = { ...key, ...item, ...told(now) }
      let found: Runner | null = null
      // Again where retention removed the one in the way between the write and the read.
      while (found === null) {
        if (await rows.put(row, { condition: 'attribute_not_exists(#pk)' })) return null
        found = await readRunner(rows, runner.host, runner.id)
      }
      // Both went through the same shape, so equal runners are equal texts.
      return JSON.stringify(found) === JSON.stringify(item) ? null : found
    },

    getRunner: (host, id) => readRunner(rows, host, id),

    async listLiveRunners(host) {
      const found: Row[] = []
      const pages = rows.query({
        condition: '#pk = :pk AND begins_with(#sk, :prefix)',
        values: { ':pk': hostPartition(host), ':prefix': RUNNER_PREFIX },
      })
      for await (const page of pages) found.push(...page)
      const { runners, unreadable } = fleetOf(found)
      return {
        runners: runners.filter((runner): runner is LiveRunner => runner.state !== 'gone'),
        unreadable,
      }
    },

    dispatchRunner: (request) => move(rows, request, dispatching(request)),
    startRunner: (request) => move(rows, request, starting(request)),
    confirmRunner: (request) => move(rows, request, confirming(request)),
    orderStop: (request) => move(rows, request, stopping(request)),

    async forgetRunner({ host, id }) {
      await rows.remove(runnerKey(host, id), { condition: '#state = :gone', values: { ':gone': 'gone' } })
    },

    async endRunner(request) {
      assertFits('runner', runnerKey(request.host, request.id), request.ending)
      return move(rows, request, ending(request))
    },
  }
}

async function move(
  rows: Rows,
  { host, id, now }: { host: HostId; id: RunnerId; now: EpochMs },
  { from, andIf, set, remove, values, isRepeat }: Move,
): Promise<Moved> {
  const states = from.map((_, at) => `:from${at}`)
  const row = await rows.update(runnerKey(host, id), {
    update: `SET ${set}, ${SET_TOLD}${remove === undefined ? '' : ` REMOVE ${remove}`}`,
    condition: `#state IN (${states.join(', ')})${andIf === undefined ? '' : ` AND ${andIf}`}`,
    values: {
      ...values,
      ...toldValues(now),
      ...Object.fromEntries(from.map((state, at) => [`:from${at}`, state])),
    },
  })
  if (row !== null) return { moved: true, runner: runnerOf(row) }
  const found = await readRunner(rows, host, id)
  return { moved: found !== null && isRepeat(found), runner: found }
}

async function readRunner(rows: Rows, host: HostId, id: RunnerId): Promise<Runner | null> {
  const row = await rows.get(runnerKey(host, id))
  return row === null ? null : runnerOf(row)
}

function runnerOf(row: Row): Runner {
  return parseItem(RunnerItem, row)
}
