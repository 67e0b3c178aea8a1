import type { EpochMs, HostId, LiveRunner, Moved, Runner, RunnerId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { fleetOf } from './fleet.ts'
import { RunnerRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { hostPartition, RUNNER_PREFIX, runnerKey } from './keys.ts'
import { confirming, dispatching, ending, type Transition, starting, stopping } from './runner-transitions.ts'
import type { Row, TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { SET_CHANGE_MARK, changeMark, changeMarkValues } from './change-index.ts'

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

export function runnerMethods(table: TableClient): RunnerMethods {
  return {
    async putRunner(runner, now) {
      const key = runnerKey(runner.host, runner.id)
      const item = RunnerRecord.parse(runner)
      assertFits('runner', key, item)
      const row = { ...key, ...item, ...changeMark(now) }
      let found: Runner | null = null
      // Retry if retention removed the existing runner between the write and the read.
      while (found === null) {
        if (await table.put(row, { condition: 'attribute_not_exists(#pk)' })) return null
        found = await readRunner(table, runner.host, runner.id)
      }
      // Both were parsed by the same schema, so equal runners have equal JSON.
      return JSON.stringify(found) === JSON.stringify(item) ? null : found
    },

    getRunner: (host, id) => readRunner(table, host, id),

    async listLiveRunners(host) {
      const found: Row[] = []
      const pages = table.query({
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

    dispatchRunner: (request) => transition(table, request, dispatching(request)),
    startRunner: (request) => transition(table, request, starting(request)),
    confirmRunner: (request) => transition(table, request, confirming(request)),
    orderStop: (request) => transition(table, request, stopping(request)),

    async forgetRunner({ host, id }) {
      await table.remove(runnerKey(host, id), { condition: '#state = :gone', values: { ':gone': 'gone' } })
    },

    async endRunner(request) {
      assertFits('runner', runnerKey(request.host, request.id), request.ending)
      return transition(table, request, ending(request))
    },
  }
}

async function transition(
  table: TableClient,
  { host, id, now }: { host: HostId; id: RunnerId; now: EpochMs },
  { from, andIf, set, remove, values, isRepeat }: Transition,
): Promise<Moved> {
  const states = from.map((_, at) => `:from${at}`)
  const row = await table.update(runnerKey(host, id), {
    update: `SET ${set}, ${SET_CHANGE_MARK}${remove === undefined ? '' : ` REMOVE ${remove}`}`,
    condition: `#state IN (${states.join(', ')})${andIf === undefined ? '' : ` AND ${andIf}`}`,
    values: {
      ...values,
      ...changeMarkValues(now),
      ...Object.fromEntries(from.map((state, at) => [`:from${at}`, state])),
    },
  })
  if (row !== null) return { moved: true, runner: runnerOf(row) }
  const found = await readRunner(table, host, id)
  return { moved: found !== null && isRepeat(found), runner: found }
}

async function readRunner(table: TableClient, host: HostId, id: RunnerId): Promise<Runner | null> {
  const row = await table.get(runnerKey(host, id))
  return row === null ? null : runnerOf(row)
}

function runnerOf(row: Row): Runner {
  return parseItem(RunnerRecord, row)
}
