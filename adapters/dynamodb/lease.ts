import { type Lease, type LeaseNotes, NO_NOTES, RELEASED_AT, firstFence } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { LeaseRecord, NotesRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { LEASE_KEY } from './keys.ts'
import type { Row, TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'

type LeaseMethods = Pick<
  FleetStore,
  'readLease' | 'takeLease' | 'renewLease' | 'releaseLease' | 'requestYield'
>

const IS_MINE = '#holder = :holder AND #fence = :fence AND #expiresAt <> :released'

export function leaseMethods(table: TableClient): LeaseMethods {
  return {
    async readLease() {
      const row = await table.get(LEASE_KEY)
      return row === null ? null : leaseOf(row)
    },

    /** A repeated call takes the lease again: the holder stays the same, and the fence rises again. */
    async takeLease({ holder, build, now, ttlMs, handOverAt }) {
      const row = await table.update(LEASE_KEY, {
        update:
          'SET #holder = :holder, #build = :build, #takenAt = :now, #expiresAt = :expiresAt, ' +
          '#handOverAt = :handOverAt, #yieldTo = :null, ' +
          '#notes = if_not_exists(#notes, :notes), #fence = if_not_exists(#fence, :first) + :one',
        condition: 'attribute_not_exists(#pk) OR #expiresAt <= :now OR #holder = :holder',
        values: {
          ':holder': holder,
          ':build': build,
          ':expiresAt': now + ttlMs,
          ':handOverAt': handOverAt,
          ':null': null,
          ':notes': NO_NOTES,
          ':first': firstFence(now),
          ':one': 1,
          ':now': now,
        },
      })
      return row === null ? null : leaseOf(row)
    },

    async renewLease({ holder, fence, now, ttlMs, notes }) {
      const row = await table.update(LEASE_KEY, {
        update: 'SET #expiresAt = :expiresAt, #notes = :notes',
        condition: IS_MINE,
        values: {
          ':holder': holder,
          ':fence': fence,
          ':released': RELEASED_AT,
          ':expiresAt': now + ttlMs,
          ':notes': storedNotes(notes),
        },
      })
      return row === null ? null : leaseOf(row)
    },

    async releaseLease({ holder, fence, notes }) {
      await table.write(LEASE_KEY, {
        update: 'SET #expiresAt = :released, #notes = :notes',
        condition: IS_MINE,
        values: {
          ':holder': holder,
          ':fence': fence,
          ':released': RELEASED_AT,
          ':notes': storedNotes(notes),
        },
      })
    },

    async requestYield({ holder, build }) {
      await table.write(LEASE_KEY, {
        update: 'SET #yieldTo = :build',
        condition: '#holder = :holder AND #expiresAt <> :released',
        values: { ':holder': holder, ':build': build, ':released': RELEASED_AT },
      })
    },
  }
}

function storedNotes(notes: LeaseNotes): LeaseNotes {
  const stored = NotesRecord.parse(notes)
  assertFits('lease', LEASE_KEY, stored)
  return stored
}

function leaseOf(row: Row): Lease {
  return parseItem(LeaseRecord, row)
}
