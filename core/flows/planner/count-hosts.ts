import type { Host } from '../../model/index.ts'

/** For logs and metrics. Hosts that never connected are neither. */
export function countHosts(hosts: readonly Host[]): { hostsOnline: number; hostsOffline: number } {
  return {
    hostsOnline: hosts.filter(({ state }) => state === 'online' || state === 'syncing').length,
    // A dead host is as far away as before: whoever waits for it is told until it is back, or removed.
    hostsOffline: hosts.filter(({ state }) => state === 'offline' || state === 'dead').length,
  }
}
