import type { DatabaseSync } from 'node:sqlite'
import {
  type EpochMs,
  firstFence,
  type Lease,
  type LeaseNotes,
  NO_NOTES,
  RELEASED_AT,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { LeaseRecord, NotesRecord, parseRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import { fromJson, type Row } from './rows.ts'

type LeaseMethods = Pick<
  FleetStore,
  'readLease' | 'takeLease' | 'renewLease' | 'releaseLease' | 'requestYield'
>

const IS_MINE = `holder = :holder AND fence = :fence AND expires_at <> ${RELEASED_AT}`

export function leaseMethods(connection: GroupCommit): LeaseMethods {
  const select = connection.prepare('SELECT * FROM lease')
  const take = connection.prepare(
    `INSERT INTO lease (one, holder, build, fence, taken_at, expires_at, hand_over_at, yield_to, notes)
     VALUES (1, :holder, :build, :first + 1, :now, :expiresAt, :handOverAt, NULL, :notes)
     ON CONFLICT (one) DO UPDATE SET
       holder = excluded.holder, build = excluded.build, fence = lease.fence + 1, taken_at = excluded.taken_at,
       expires_at = excluded.expires_at, hand_over_at = excluded.hand_over_at, yield_to = NULL
     WHERE lease.expires_at <= :now OR lease.holder = :holder
     RETURNING *`,
  )
  const renew = connection.prepare(
    `UPDATE lease SET expires_at = :expiresAt, notes = :notes WHERE ${IS_MINE} RETURNING *`,
  )
  const askToYield = connection.prepare(
    `UPDATE lease SET yield_to = :build WHERE holder = :holder AND expires_at <> ${RELEASED_AT}`,
  )

  return {
    readLease: () => connection.read(() => leaseOf(select.get())),

    takeLease: ({ now, ttlMs, ...request }) =>
      connection.write(() => {
        const values = { now, expiresAt: now + ttlMs, first: firstFence(now), notes: toText(NO_NOTES) }
        return leaseOf(take.get({ ...pickTaker(request), ...values }))
      }),

    renewLease: ({ holder, fence, now, ttlMs, notes }) =>
      connection.write(() =>
        leaseOf(renew.get({ holder, fence, expiresAt: now + ttlMs, notes: toText(notes) })),
      ),

    releaseLease: ({ holder, fence, notes }) =>
      connection.write(() => {
        renew.get({ holder, fence, expiresAt: RELEASED_AT, notes: toText(notes) })
      }),

    requestYield: ({ holder, build }) =>
      connection.write(() => {
        askToYield.run({ holder, build })
      }),
  }
}

/**
 * The file may be a backup that was put back, so that agents have obeyed later fences than it knows. What starts above
 * the fences of a lost file (`firstFence`) starts above theirs as well.
 */
export function raiseFenceOfRestored(db: DatabaseSync, now: EpochMs): void {
  db.prepare('UPDATE lease SET fence = :first WHERE fence < :first').run({ first: firstFence(now) })
}

function pickTaker({ holder, build, handOverAt }: Pick<Lease, 'holder' | 'build' | 'handOverAt'>) {
  return { holder, build, handOverAt }
}

function toText(notes: LeaseNotes): string {
  return JSON.stringify(NotesRecord.parse(notes))
}

function leaseOf(row: Row | undefined): Lease | null {
  if (row === undefined) return null
  const { holder, build, fence, taken_at: takenAt, expires_at: expiresAt } = row
  const { hand_over_at: handOverAt, yield_to: yieldTo, notes } = row
  const lease = { holder, build, fence, takenAt, expiresAt, handOverAt, yieldTo, notes: fromJson(notes) }
  return parseRecord(LeaseRecord, 'The lease', lease)
}
