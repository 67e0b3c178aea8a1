import type { HostId, LiveRunner, Runner, RunnerId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { RunnerRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import { columnsOf, INSERT_RUNNER, runnerOf } from './runner-rows.ts'
import { transitionMethods } from './runner-transitions.ts'
import { readAll } from './unreadable.ts'

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

export function runnerMethods(connection: GroupCommit): RunnerMethods {
  const select = connection.prepare('SELECT * FROM runners WHERE host = ? AND id = ?')
  const insert = connection.prepare(INSERT_RUNNER)
  const forget = connection.prepare("DELETE FROM runners WHERE host = :host AND id = :id AND state = 'gone'")
  // Without the name of the index SQLite takes the primary key, and reads every tombstone of the host.
  const listLive = connection.prepare(
    "SELECT * FROM runners INDEXED BY live_runners WHERE host = ? AND state <> 'gone'",
  )
  const read = (host: HostId, id: RunnerId): Runner | null => {
    const row = select.get(host, id)
    return row === undefined ? null : runnerOf(row)
  }

  return {
    putRunner: (given, now) =>
      connection.write(() => {
        const runner = RunnerRecord.parse(given)
        if (insert.run({ ...columnsOf(runner), now }).changes === 1) return null
        const found = read(runner.host, runner.id)
        // Both went through the same shape, so equal runners are equal texts.
        return JSON.stringify(found) === JSON.stringify(runner) ? null : found
      }),

    getRunner: (host, id) => connection.read(() => read(host, id)),

    listLiveRunners: (host) =>
      connection.read(() => {
        const { items, unreadable } = readAll(listLive.all(host), runnerOf)
        const runners = items.filter((runner): runner is LiveRunner => runner.state !== 'gone')
        return { runners, unreadable }
      }),

    forgetRunner: ({ host, id }) =>
      connection.write(() => {
        forget.run({ host, id })
      }),

    ...transitionMethods(connection, read),
  }
}
