import type { FleetStore } from '../../core/ports/index.ts'
import { changeHost, hostOf, readHost } from './update-host.ts'
import { hostKey, imagesKey, livenessKey } from './keys.ts'
import type { TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { changeMark } from './change-index.ts'

type HostMethods = Pick<
  FleetStore,
  'addHost' | 'getHost' | 'replaceToken' | 'raiseFence' | 'setBackoff' | 'declareDead' | 'removeHost'
>

const NOTHING = { runners: 0, cpuMillis: 0, memoryMib: 0 }

export function hostMethods(table: TableClient): HostMethods {
  return {
    async addHost(request) {
      const key = hostKey(request.id)
      const item = newHostItem(request)
      assertFits('host', key, item)
      const added = await table.put(
        { ...key, ...item, ...changeMark(request.now) },
        { condition: 'attribute_not_exists(#pk)' },
      )
      if (added) return true
      // Each token is unique, so an equal hash means that this call is a repeat, not another host with that name.
      return (await readHost(table, request.id))?.tokenHash === request.tokenHash
    },

    getHost: (id) => readHost(table, id),

    async replaceToken(request) {
      return changeHost(table, request, {
        set: '#tokenHash = :tokenHash',
        condition: 'attribute_exists(#pk)',
        values: { ':tokenHash': request.tokenHash },
      })
    },

    /** Does not touch the change index: the planner is the caller and gets the new host as the answer. */
    async raiseFence(id, fence) {
      const row = await table.update(hostKey(id), {
        update: 'SET #fence = :fence ADD #revision :one',
        condition: '#fence < :fence',
        values: { ':fence': fence, ':one': 1 },
      })
      return row === null ? readHost(table, id) : hostOf(row)
    },

    async setBackoff(request) {
      const { template, backoff } = request
      const change =
        backoff === null
          ? { remove: '#backoffs.#template', condition: 'attribute_exists(#backoffs.#template)' }
          : {
              set: '#backoffs.#template = :backoff',
              condition: 'attribute_exists(#pk)',
              values: { ':backoff': { failures: backoff.failures, until: backoff.until } },
            }
      await changeHost(table, request, { ...change, names: { '#template': template } })
    },

    async declareDead(request) {
      const { host, revision, now } = request
      const declared = await changeHost(table, request, {
        set: '#state = :dead, #stateSince = :now',
        condition: '#state = :offline AND #revision = :revision',
        values: { ':dead': 'dead', ':offline': 'offline', ':now': now, ':revision': revision },
      })
      if (declared) return true
      const found = await readHost(table, host)
      return found?.state === 'dead' && found.revision === revision + 1
    },

    /** Removes the host item last: if a removal fails, the host is still listed, and the call can be repeated. */
    async removeHost(id) {
      await table.remove(livenessKey(id))
      await table.remove(imagesKey(id))
      await table.remove(hostKey(id))
    },
  }
}

/**
 * A host without capacity, which cannot be claimed yet. Revision and epoch start at the current time, not at zero: if a
 * host of this name was removed, readers or an agent may still know its last values, which must be lower.
 */
function newHostItem(request: Parameters<FleetStore['addHost']>[0]) {
  return {
    id: request.id,
    tags: [...request.tags],
    tokenHash: request.tokenHash,
    state: 'new',
    stateSince: request.now,
    epoch: Math.floor(request.now / 1000),
    connection: null,
    install: null,
    fence: 0,
    capacity: NOTHING,
    used: NOTHING,
    free: NOTHING,
    accepting: false,
    notAcceptingReason: null,
    slots: {},
    backoffs: {},
    revision: Math.floor(request.now),
  }
}
