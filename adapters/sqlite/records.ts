import { type HostId, type RunnerId, SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'

type RecordMethods = Pick<FleetStore, 'putCrashReport' | 'getCrashReport' | 'removeExpired'>

/** Far above what one dead runner has to tell (a part is about 20 KB), and low enough that no agent fills the disk. */
const PARTS_MAX = 64

export function recordMethods(connection: GroupCommit): RecordMethods {
  const put = connection.prepare(
    `INSERT OR REPLACE INTO crash_reports (host, runner, part, parts, text, changed_at)
     VALUES (:host, :runner, :part, :parts, :text, :now)`,
  )
  const select = connection.prepare(
    'SELECT parts, text FROM crash_reports WHERE host = ? AND runner = ? ORDER BY part',
  )
  const removeTombstones = connection.prepare(
    `DELETE FROM runners WHERE (host, id) IN (
       SELECT host, id FROM runners WHERE state = 'gone' AND changed_at < :before ORDER BY changed_at LIMIT :limit)`,
  )
  const removeReports = connection.prepare(
    `DELETE FROM crash_reports WHERE rowid IN (
       SELECT rowid FROM crash_reports WHERE changed_at < :before ORDER BY changed_at LIMIT :limit)`,
  )

  return {
    putCrashReport: ({ host, runner, part, parts, text, now }) =>
      connection.write(() => {
        if (parts > PARTS_MAX || part > parts) throw tooManyParts({ host, runner, part, parts })
        put.run({ host, runner, part, parts, text, now })
      }),

    getCrashReport: (host, runner) =>
      connection.read(() => {
        const found = select.all(host, runner)
        if (found.length === 0 || found.some(({ parts }) => parts !== found.length)) return null
        return found.map(({ text }) => String(text)).join('')
      }),

    removeExpired: ({ before, limit }) =>
      connection.write(() => {
        const tombstones = Number(removeTombstones.run({ before, limit }).changes)
        return tombstones + Number(removeReports.run({ before, limit: limit - tombstones }).changes)
      }),
  }
}

function tooManyParts(box: { host: HostId; runner: RunnerId; part: number; parts: number }): SlipwayError {
  const { host, runner, part, parts } = box
  return new SlipwayError(
    'store-item-too-large',
    `Refused part ${part} of ${parts} of the crash report of runner ${runner} of host "${host}": it has at most ` +
      `${PARTS_MAX} parts. The record should have been cut short by the agent.`,
  )
}
