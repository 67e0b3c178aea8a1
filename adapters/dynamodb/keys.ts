import { type HostId, hostId, type RunnerId, runnerId } from '../../core/model/index.ts'
import { HOST_PREFIX, type PARTITION_KEY, type SORT_KEY } from './schema.ts'

/** The key of one item. */
export interface Key {
  readonly [PARTITION_KEY]: string
  readonly [SORT_KEY]: string
}

export const LEASE_KEY: Key = { pk: 'FLEET', sk: 'LEASE' }
/** Partition with one item per source; its sort key is the source's id. */
export const SOURCES_PARTITION = 'SOURCES'
export const RUNNER_PREFIX = 'RUNNER#'
/** The current version of the templates; earlier versions are separate items in the same partition. */
export const TEMPLATES_KEY: Key = { pk: 'TEMPLATES', sk: 'CURRENT' }
export const TEMPLATE_VERSION_PREFIX = 'VERSION#'

export function hostKey(id: HostId): Key {
  return { pk: hostPartition(id), sk: 'HOST' }
}

export function livenessKey(id: HostId): Key {
  return { pk: hostPartition(id), sk: 'LIVE' }
}

export function imagesKey(id: HostId): Key {
  return { pk: hostPartition(id), sk: 'IMAGES' }
}

export function runnerKey(host: HostId, id: RunnerId): Key {
  return { pk: hostPartition(host), sk: `${RUNNER_PREFIX}${id}` }
}

export function crashReportKey(host: HostId, runner: RunnerId, part: number): Key {
  return { pk: hostPartition(host), sk: `${crashReportPrefix(runner)}${String(part).padStart(4, '0')}` }
}

export function crashReportPrefix(runner: RunnerId): string {
  return `BOX#${runner}#`
}

export function templateVersionKey(version: number): Key {
  return { pk: TEMPLATES_KEY.pk, sk: `${TEMPLATE_VERSION_PREFIX}${String(version).padStart(9, '0')}` }
}

export function hostPartition(id: HostId): string {
  return `${HOST_PREFIX}${id}`
}

/** The kind of an item, from its key. `other`: not part of the fleet (the lease, crash reports, later additions). */
export type ItemKind = 'host' | 'liveness' | 'images' | 'runner' | 'other'

export function kindOf({ pk, sk }: Key): ItemKind {
  if (!pk.startsWith(HOST_PREFIX)) return 'other'
  if (sk === 'HOST') return 'host'
  if (sk === 'LIVE') return 'liveness'
  if (sk === 'IMAGES') return 'images'
  return sk.startsWith(RUNNER_PREFIX) ? 'runner' : 'other'
}

/** The ids in a key; null if the key has none or is damaged. */
export function idsOf({ pk, sk }: Key): { host: HostId | null; runner: RunnerId | null } {
  return {
    host: pk.startsWith(HOST_PREFIX) ? orNull(() => hostId(pk.slice(HOST_PREFIX.length))) : null,
    runner: sk.startsWith(RUNNER_PREFIX) ? orNull(() => runnerId(sk.slice(RUNNER_PREFIX.length))) : null,
  }
}

function orNull<T>(make: () => T): T | null {
  try {
    return make()
  } catch {
    return null
  }
}
