import type { FleetStore } from '../../core/ports/index.ts'
import { changedHost, changeHost, type HostChange, readHost } from './update-host.ts'
import { hostKey } from './keys.ts'
import type { TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'

type SessionMethods = Pick<FleetStore, 'beginSession' | 'openHost' | 'endSession' | 'setAccepting'>

export function sessionMethods(table: TableClient): SessionMethods {
  return {
    async beginSession(request) {
      assertFits('host', hostKey(request.host), request.facts)
      return (await changedHost(table, request, beginning(request))) ?? readHost(table, request.host)
    },

    async openHost(request) {
      const { host, epoch, now } = request
      const opened = await changeHost(table, request, {
        set: '#state = :online, #stateSince = :now',
        condition: '#state = :syncing AND #epoch = :epoch',
        values: { ':online': 'online', ':syncing': 'syncing', ':now': now, ':epoch': epoch },
      })
      if (opened) return true
      const found = await readHost(table, host)
      return found?.state === 'online' && found.epoch === epoch
    },

    async endSession(request) {
      const { host, connection, now } = request
      const ended = await changeHost(table, request, {
        set: '#state = :offline, #stateSince = :now, #connection = :null',
        condition: '#connection = :connection',
        values: { ':offline': 'offline', ':now': now, ':null': null, ':connection': connection },
      })
      if (ended) return true
      // Ended at the same `now`: this is a repeat of the call that ended it.
      const found = await readHost(table, host)
      return found?.state === 'offline' && found.stateSince === now
    },

    async setAccepting(request) {
      const { host, epoch, accepting, reason } = request
      assertFits('host', hostKey(host), reason)
      await changeHost(table, request, {
        set: '#accepting = :accepting, #notAcceptingReason = :reason',
        condition: '#epoch = :epoch AND (#accepting <> :accepting OR #notAcceptingReason <> :reason)',
        values: { ':epoch': epoch, ':accepting': accepting, ':reason': reason },
      })
    },
  }
}

/** A connection has one session: a second hello changes nothing and returns the existing session. */
function beginning({ connection, facts, now }: Parameters<FleetStore['beginSession']>[0]): HostChange {
  const { runners, cpuMillis, memoryMib } = facts.capacity
  return {
    set:
      '#state = :syncing, #stateSince = :now, #connection = :connection, #install = :install, ' +
      '#accepting = :accepting, #notAcceptingReason = :reason, #capacity = :capacity, ' +
      '#free.#runners = :runners - #used.#runners, ' +
      '#free.#cpuMillis = :cpuMillis - #used.#cpuMillis, ' +
      '#free.#memoryMib = :memoryMib - #used.#memoryMib',
    add: '#epoch :one',
    condition: 'attribute_exists(#pk) AND #connection <> :connection',
    values: {
      ':syncing': 'syncing',
      ':now': now,
      ':connection': connection,
      ':install': facts.install,
      ':accepting': facts.accepting,
      ':reason': facts.notAcceptingReason,
      ':capacity': { runners, cpuMillis, memoryMib },
      ':runners': runners,
      ':cpuMillis': cpuMillis,
      ':memoryMib': memoryMib,
    },
  }
}
