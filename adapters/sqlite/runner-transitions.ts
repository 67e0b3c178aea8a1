import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { Ending, HostId, LiveRunner, Moved, Runner, RunnerId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { runnerOf } from './runner-rows.ts'

type TransitionMethods = Pick<
  FleetStore,
  'dispatchRunner' | 'startRunner' | 'endRunner' | 'confirmRunner' | 'orderStop'
>

type Values = { readonly host: HostId; readonly id: RunnerId } & Readonly<Record<string, SQLInputValue>>

const LIVE_STATES: readonly LiveRunner['state'][] = ['reserved', 'dispatched', 'running']

export function transitionMethods(
  connection: GroupCommit,
  read: (host: HostId, id: RunnerId) => Runner | null,
): TransitionMethods {
  const statements = prepareTransitions(connection)

  /** `isRepeat`: whether the runner, found elsewhere, is there because this very call was done before. */
  const move = (
    statement: StatementSync,
    values: Values,
    isRepeat: (found: Runner) => boolean,
  ): Promise<Moved> =>
    connection.write(() => {
      const row = statement.get(values)
      if (row !== undefined) return { moved: true, runner: runnerOf(row) }
      const found = read(values.host, values.id)
      return { moved: found !== null && isRepeat(found), runner: found }
    })

  return {
    dispatchRunner: ({ host, id, epoch, now }) =>
      move(
        statements.dispatch,
        { host, id, epoch, now },
        // Exactly this call: a launch follows it, so nobody else's dispatch may count as it.
        (found) => found.state === 'dispatched' && found.epoch === epoch && found.dispatchedAt === now,
      ),

    startRunner: ({ host, id, startedAt, now }) =>
      move(statements.start, { host, id, startedAt, now }, (found) => found.state === 'running'),

    endRunner: ({ host, id, ending, only = LIVE_STATES, startedAt = null, now }) => {
      const { outcome, code, reason, exitCode } = ending
      const values = { outcome, code, reason, exitCode, startedAt, now, from: JSON.stringify(only) }
      return move(statements.end, { host, id, ...values }, (found) => hasEnded(found, ending))
    },

    confirmRunner: ({ host, id, epoch, now }) =>
      move(
        statements.confirm,
        { host, id, epoch, now },
        (found) => found.state === 'dispatched' && found.epoch === epoch,
      ),

    orderStop: ({ host, id, stop: { reason, requestedAt }, now }) =>
      move(
        statements.stop,
        { host, id, reason, requestedAt, now },
        (found) => found.state !== 'gone' && found.stop?.reason === reason,
      ),
  }
}

/** One edge of the state machine each: the runner moves where `condition` holds, and is answered as it is then. */
function prepareTransitions(connection: GroupCommit) {
  const transition = (set: string, condition: string): StatementSync =>
    connection.prepare(
      `UPDATE runners SET ${set}, changed_at = :now WHERE host = :host AND id = :id AND ${condition} RETURNING *`,
    )
  return {
    dispatch: transition("state = 'dispatched', epoch = :epoch, dispatched_at = :now", "state = 'reserved'"),
    start: transition(
      "state = 'running', started_at = :startedAt, epoch = NULL, dispatched_at = NULL",
      "state IN ('reserved', 'dispatched')",
    ),
    end: transition(
      `state = 'gone', outcome = :outcome, code = :code, reason = :reason, exit_code = :exitCode, gone_at = :now,
       started_at = coalesce(started_at, :startedAt), stop_reason = NULL, stop_requested_at = NULL, epoch = NULL,
       dispatched_at = NULL`,
      'state IN (SELECT value FROM json_each(:from))',
    ),
    confirm: transition('epoch = :epoch', "state = 'dispatched' AND epoch < :epoch"),
    stop: transition(
      'stop_reason = :reason, stop_requested_at = :requestedAt',
      "state IN ('reserved', 'dispatched', 'running') AND stop_reason IS NULL",
    ),
  }
}

function hasEnded(found: Runner, { outcome, code, reason, exitCode }: Ending): boolean {
  return (
    found.state === 'gone' &&
    found.outcome === outcome &&
    found.code === code &&
    found.reason === reason &&
    found.exitCode === exitCode
  )
}
