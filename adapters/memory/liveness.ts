import { isLaterSign } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type State } from './state.ts'

type LivenessMethods = Pick<FleetStore, 'putLiveness' | 'getLiveness' | 'mergeImages'>

export function livenessMethods(state: State): LivenessMethods {
  return {
    async putLiveness(liveness) {
      const kept = state.liveness.get(liveness.host)
      const found = kept?.value
      if (found !== undefined && !isLaterSign(liveness, found)) return
      const wasExpected = found?.epoch === liveness.epoch && found.expectedBy >= liveness.lastSeenAt
      const changedAt = (wasExpected ? kept?.changedAt : undefined) ?? liveness.lastSeenAt
      state.liveness.set(liveness.host, { value: copy(liveness), changedAt })
    },

    async getLiveness(host) {
      return copy(state.liveness.get(host)?.value ?? null)
    },

    async mergeImages({ host, images, now }) {
      if (images.size === 0) return
      const found = state.images.get(host)?.value ?? { images: new Map(), revision: Math.floor(now) - 1 }
      const value = {
        host,
        images: new Map([...found.images, ...copy(images)]),
        revision: found.revision + 1,
      }
      state.images.set(host, { value, changedAt: now })
    },
  }
}
