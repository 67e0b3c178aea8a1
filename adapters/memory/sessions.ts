import { epoch } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { findHost, writeHost } from './hosts.ts'
import { copy, type State } from './state.ts'

type SessionMethods = Pick<FleetStore, 'beginSession' | 'openHost' | 'endSession' | 'setAccepting'>

export function sessionMethods(state: State): SessionMethods {
  return {
    async beginSession({ host: id, connection, facts, now }) {
      const host = findHost(state, id)
      if (host === undefined) return null
      if (host.connection === connection) return copy(host)
      const { install, capacity, accepting, notAcceptingReason } = copy(facts)
      const session = { state: 'syncing', stateSince: now, connection, epoch: epoch(host.epoch + 1) } as const
      const change = { ...session, install, capacity, accepting, notAcceptingReason }
      return copy(writeHost(state, host, change, now))
    },

    async openHost({ host: id, epoch: session, now }) {
      const host = findHost(state, id)
      if (host?.epoch !== session) return false
      if (host.state === 'syncing') writeHost(state, host, { state: 'online', stateSince: now }, now)
      return host.state === 'syncing' || host.state === 'online'
    },

    async endSession({ host: id, connection, now }) {
      const host = findHost(state, id)
      if (host?.connection !== connection) return host?.state === 'offline' && host.stateSince === now
      writeHost(state, host, { state: 'offline', stateSince: now, connection: null }, now)
      return true
    },

    async setAccepting({ host: id, epoch: session, accepting, reason, now }) {
      const host = findHost(state, id)
      if (host?.epoch !== session) return
      if (host.accepting === accepting && host.notAcceptingReason === reason) return
      writeHost(state, host, { accepting, notAcceptingReason: reason }, now)
    },
  }
}
