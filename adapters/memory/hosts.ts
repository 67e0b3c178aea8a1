import { type EpochMs, epoch, fence, type Host, type HostId } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { copy, type State } from './state.ts'

type HostMethods = Pick<
  FleetStore,
  'addHost' | 'getHost' | 'replaceToken' | 'raiseFence' | 'setBackoff' | 'declareDead' | 'removeHost'
>

export function hostMethods(state: State): HostMethods {
  const find = (id: HostId): Host | undefined => findHost(state, id)

  return {
    async addHost(request) {
      const found = find(request.id)
      if (found !== undefined) return found.tokenHash === request.tokenHash
      state.hosts.set(request.id, { value: newHost(request), changedAt: request.now })
      return true
    },

    async getHost(id) {
      return copy(find(id) ?? null)
    },

    async replaceToken({ host: id, tokenHash, now }) {
      const host = find(id)
      if (host !== undefined) writeHost(state, host, { tokenHash }, now)
      return host !== undefined
    },

    async raiseFence(id, to) {
      const kept = state.hosts.get(id)
      if (kept === undefined) return null
      const { value: host, changedAt } = kept
      if (host.fence < to) {
        state.hosts.set(id, { value: { ...host, fence: to, revision: host.revision + 1 }, changedAt })
      }
      return copy(find(id) ?? null)
    },

    async setBackoff({ host: id, template, backoff, now }) {
      const host = find(id)
      if (host === undefined || (backoff === null && !host.backoffs.has(template))) return
      const backoffs = new Map(host.backoffs)
      if (backoff === null) backoffs.delete(template)
      else backoffs.set(template, copy(backoff))
      writeHost(state, host, { backoffs }, now)
    },

    async declareDead({ host: id, revision, now }) {
      const host = find(id)
      if (host?.state === 'dead') return host.revision === revision + 1
      if (host?.state !== 'offline' || host.revision !== revision) return false
      writeHost(state, host, { state: 'dead', stateSince: now }, now)
      return true
    },

    async removeHost(id) {
      state.hosts.delete(id)
      state.liveness.delete(id)
      state.images.delete(id)
    },
  }
}

export function findHost(state: State, id: HostId): Host | undefined {
  return state.hosts.get(id)?.value
}

/** Every write to a host raises its revision. */
export function writeHost(state: State, host: Host, change: Partial<Host>, now: EpochMs): Host {
  const value = { ...host, ...change, revision: host.revision + 1 }
  state.hosts.set(host.id, { value, changedAt: now })
  return value
}

/** Revision and epoch start at the current time, above those of a removed host of the same name. */
function newHost({ id, tags, tokenHash, now }: Parameters<FleetStore['addHost']>[0]): Host {
  return {
    id,
    tags: [...tags],
    tokenHash,
    state: 'new',
    stateSince: now,
    epoch: epoch(Math.floor(now / 1000)),
    connection: null,
    install: null,
    fence: fence(0),
    capacity: { runners: 0, cpuMillis: 0, memoryMib: 0 },
    accepting: false,
    notAcceptingReason: null,
    slots: new Map(),
    backoffs: new Map(),
    revision: Math.floor(now),
  }
}
