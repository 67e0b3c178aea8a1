import type { FleetStore } from '../../core/ports/index.ts'
import { changeHost, hostOf, readHost } from './update-host.ts'
import { hostKey, imagesKey, livenessKey } from './keys.ts'
import type { Rows } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { told } from './change-index.ts'

type HostMethods = Pick<
  FleetStore,
  'addHost' | 'getHost' | 'replaceToken' | 'raiseFence' | 'setBackoff' | 'declareDead' | 'removeHost'
>

const NOTHING = { runners: 0, cpuMillis: 0, memoryMib: 0 }

export function hostMethods(rows: Rows): HostMethods {
  return {
    async addHost(request) {
      const key = hostKey(request.id)
      const item = newHostItem(request)
      assertFits('host', key, item)
      const added = await rows.put(
        { ...key, ...item, ...told(request.now) },
        { condition: 'attribute_not_exists(#pk)' },
      )
      if (added) return true
      // A token is made once, so its hash tells a repeat of this call from another host of the name.
      return (await readHost(rows, request.id))?.tokenHash === request.tokenHash
    },

    getHost: (id) => readHost(rows, id),

    async replaceToken(request) {
      return changeHost(rows, request, {
        set: '#tokenHash = :tokenHash',
        condition: 'attribute_exists(#pk)',
        values: { ':tokenHash': request.tokenHash },
      })
    },

    /** Not told to readers of changes: the caller is the one who plans, and has the answer. */
    async raiseFence(id, fence) {
      const row = await rows.update(hostKey(id), {
        update: 'SET #fence = :fence ADD #revision :one',
        condition: '#fence < :fence',
        values: { ':fence': fence, ':one': 1 },
      })
      return row === null ? readHost(rows, id) : hostOf(row)
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
      await changeHost(rows, request, { ...change, names: { '#template': template } })
    },

    async declareDead(request) {
      const { host, revision, now } = request
      const declared = await changeHost(rows, request, {
        set: '#state = :dead, #stateSince = :now',
        condition: '#state = :offline AND #revision = :revision',
        values: { ':dead': 'dead', ':offline': 'offline', ':now': now, ':revision': revision },
      })
      if (declared) return true
      const found = await readHost(rows, host)
      return found?.state === 'dead' && found.revision === revision + 1
    },

    /** The host goes last: while a part of it is left, its owner still sees it, and can repeat. */
    async removeHost(id) {
      await rows.remove(livenessKey(id))
      await rows.remove(imagesKey(id))
      await rows.remove(hostKey(id))
    },
  }
}

/**
 * A host that nobody may claim yet. Revision and epoch start at the time of its adding, not at zero: a host of the same
 * name that was removed before has left readers, and perhaps an agent, that know its last ones, and these must be older.
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
