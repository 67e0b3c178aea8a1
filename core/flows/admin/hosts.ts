import {
  type Host,
  type HostId,
  type HostLiveness,
  type ImageState,
  SlipwayError,
} from '../../model/index.ts'
import type { FleetReader, HostStore } from '../../ports/index.ts'
import type { AdminPorts } from './ports.ts'

export interface HostReport {
  readonly host: Host
  readonly liveness: HostLiveness | null
  readonly images: ReadonlyMap<string, ImageState>
}

/** Every host with its liveness and images, sorted by name. */
export async function reportHosts({
  store,
}: {
  readonly store: Pick<FleetReader, 'readFleet'>
}): Promise<readonly HostReport[]> {
  const fleet = await store.readFleet()
  const liveness = new Map(fleet.liveness.map((entry) => [entry.host, entry]))
  const images = new Map(fleet.images.map((entry) => [entry.host, entry.images]))
  return fleet.hosts
    .map((host) => ({
      host,
      liveness: liveness.get(host.id) ?? null,
      images: images.get(host.id) ?? new Map<string, ImageState>(),
    }))
    .toSorted((left, right) => (left.host.id < right.host.id ? -1 : 1))
}

/** Adds a host whose agent presents the token with this hash. Throws `host-exists`. */
export async function addHost(
  { store, clock, log }: Pick<AdminPorts, 'clock' | 'log'> & { readonly store: Pick<HostStore, 'addHost'> },
  by: string,
  host: { readonly id: HostId; readonly tags: readonly string[]; readonly tokenHash: string },
): Promise<void> {
  if (!(await store.addHost({ ...host, now: clock.now() })))
    throw new SlipwayError(
      'host-exists',
      `Host ${host.id} exists already. Choose another name, or, if its machine is gone or its token is lost, remove the host first.`,
    )
  log.emit({ name: 'audit.host-added', by, host: host.id, tags: host.tags })
}

/**
 * Removes a host: its token is no longer accepted, and the sweep ends its runners as lost. Throws `host-unknown`.
 */
export async function removeHost(
  {
    store,
    gateway,
    log,
  }: Pick<AdminPorts, 'gateway' | 'log'> & { readonly store: Pick<HostStore, 'getHost' | 'removeHost'> },
  by: string,
  id: HostId,
): Promise<{ readonly runners: number }> {
  const host = await store.getHost(id)
  if (host === null)
    throw new SlipwayError('host-unknown', `There is no host ${id}. \`slipway hosts list\` shows all hosts.`)
  // Removed before its connection is closed: an agent that reconnects at once is refused.
  await store.removeHost(id)
  log.emit({ name: 'audit.host-removed', by, host: id, runners: host.slots.size })
  if (host.connection !== null) {
    // If it stays open, the agent learns with its next message that the host was removed.
    await gateway.close(host.connection).catch((thrown: unknown) => {
      log.emit({ name: 'host.connection-not-closed', host: id, cause: thrown })
    })
  }
  return { runners: host.slots.size }
}
