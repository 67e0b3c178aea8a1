import type { Host } from '../../model/index.ts'

/** For logs and metrics. Hosts that never connected count as neither. */
export function countHosts(hosts: readonly Host[]): { hostsOnline: number; hostsOffline: number } {
  return {
    hostsOnline: hosts.filter(({ state }) => state === 'online' || state === 'syncing').length,
    // A dead host still counts as offline, until it is back or removed.
    hostsOffline: hosts.filter(({ state }) => state === 'offline' || state === 'dead').length,
  }
}
