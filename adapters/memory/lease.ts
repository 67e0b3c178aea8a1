import { type Lease, NO_NOTES, RELEASED_AT, fence, firstFence } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type State } from './state.ts'

type LeaseMethods = Pick<
  FleetStore,
  'readLease' | 'takeLease' | 'renewLease' | 'releaseLease' | 'requestYield'
>

export function leaseMethods(state: State): LeaseMethods {
  return {
    async readLease() {
      return copy(state.lease)
    },

    async takeLease({ holder, build, now, ttlMs, handOverAt }) {
      const { lease } = state
      if (lease !== null && lease.expiresAt > now && lease.holder !== holder) return null
      state.lease = {
        holder,
        build,
        fence: fence((lease?.fence ?? firstFence(now)) + 1),
        takenAt: now,
        expiresAt: now + ttlMs,
        handOverAt,
        yieldTo: null,
        notes: lease?.notes ?? NO_NOTES,
      }
      return copy(state.lease)
    },

    async renewLease({ now, ttlMs, notes, ...mine }) {
      if (!isMine(state.lease, mine)) return null
      state.lease = { ...state.lease, expiresAt: now + ttlMs, notes: copy(notes) }
      return copy(state.lease)
    },

    async releaseLease({ notes, ...mine }) {
      if (isMine(state.lease, mine))
        state.lease = { ...state.lease, expiresAt: RELEASED_AT, notes: copy(notes) }
    },

    async requestYield({ holder, build }) {
      if (state.lease?.holder === holder && state.lease.expiresAt !== RELEASED_AT)
        state.lease = { ...state.lease, yieldTo: build }
    },
  }
}

function isMine(lease: Lease | null, mine: Pick<Lease, 'holder' | 'fence'>): lease is Lease {
  return lease?.holder === mine.holder && lease.fence === mine.fence && lease.expiresAt !== RELEASED_AT
}
