import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { HOST_CHANGED, HostReader } from './host-rows.ts'

type SessionMethods = Pick<FleetStore, 'beginSession' | 'openHost' | 'endSession' | 'setAccepting'>

export function sessionMethods(connection: GroupCommit): SessionMethods {
  const hosts = new HostReader(connection)
  const open = connection.prepare(
    `UPDATE hosts SET state = 'online', state_since = :now, ${HOST_CHANGED}
     WHERE id = :host AND state = 'syncing' AND epoch = :epoch`,
  )
  const end = connection.prepare(
    `UPDATE hosts SET state = 'offline', state_since = :now, connection = NULL, ${HOST_CHANGED}
     WHERE id = :host AND connection = :connection`,
  )
  const setAccepting = connection.prepare(
    `UPDATE hosts SET accepting = :accepting, not_accepting_reason = :reason, ${HOST_CHANGED}
     WHERE id = :host AND epoch = :epoch AND (accepting <> :accepting OR not_accepting_reason IS NOT :reason)`,
  )

  return {
    beginSession: beginMethod(connection, hosts),

    openHost: ({ host, epoch, now }) =>
      connection.write(() => {
        if (open.run({ host, epoch, now }).changes === 1) return true
        const found = hosts.read(host)
        return found?.state === 'online' && found.epoch === epoch
      }),

    endSession: ({ host, connection: ended, now }) =>
      connection.write(() => {
        if (end.run({ host, connection: ended, now }).changes === 1) return true
        // The same call at the same time: it is this one that ended it.
        const found = hosts.read(host)
        return found?.state === 'offline' && found.stateSince === now
      }),

    setAccepting: ({ host, epoch, accepting, reason, now }) =>
      connection.write(() => {
        setAccepting.run({ host, epoch, accepting: Number(accepting), reason, now })
      }),
  }
}

/** A connection has one session: its second hello changes nothing, and is answered with the session that it has. */
function beginMethod(connection: GroupCommit, hosts: HostReader): FleetStore['beginSession'] {
  const begin = connection.prepare(
    `UPDATE hosts SET state = 'syncing', state_since = :now, epoch = epoch + 1, connection = :connection,
       install = :install, max_runners = :runners, cpu_millis = :cpuMillis, memory_mib = :memoryMib,
       accepting = :accepting, not_accepting_reason = :reason, ${HOST_CHANGED}
     WHERE id = :host AND connection IS NOT :connection`,
  )

  return ({ host, connection: begun, facts, now }) =>
    connection.write(() => {
      const { runners, cpuMillis, memoryMib } = facts.capacity
      begin.run({
        host,
        connection: begun,
        now,
        install: facts.install,
        runners,
        cpuMillis,
        memoryMib,
        accepting: Number(facts.accepting),
        reason: facts.notAcceptingReason,
      })
      return hosts.read(host)
    })
}
