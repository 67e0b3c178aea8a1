import type { EpochMs, RefusalReason, Template } from '../model/index.ts'
import type { HostView } from './world.ts'

type Lacking = 'cpu' | 'memory' | 'slots' | 'starts' | null

/**
 * What keeps an assigned host from holding even one more runner of a template, before its room is looked at; null =
 * nothing does. Ordered from hopeless to hopeful, so that the best of many hosts can be told.
 */
export type Obstacle =
  | { readonly kind: 'offline' }
  | { readonly kind: 'too-large'; readonly lacking: 'cpu' | 'memory' }
  | { readonly kind: 'not-accepting'; readonly reason: string }
  | { readonly kind: 'image-unavailable'; readonly reason: string }
  | { readonly kind: 'pulling-image' }
  | { readonly kind: 'backing-off'; readonly until: EpochMs }

const HOPE: Readonly<Record<Obstacle['kind'], number>> = {
  offline: 0,
  'too-large': 1,
  'not-accepting': 2,
  'image-unavailable': 3,
  'pulling-image': 4,
  'backing-off': 5,
}

export function obstacleOf(template: Template, view: HostView, now: EpochMs): Obstacle | null {
  const { host } = view
  if (host.state !== 'online' || host.connection === null) return { kind: 'offline' }
  if (view.liveness !== null && view.liveness.expectedBy < now) return { kind: 'offline' }
  if (template.size.cpuMillis > host.capacity.cpuMillis) return { kind: 'too-large', lacking: 'cpu' }
  if (template.size.memoryMib > host.capacity.memoryMib) return { kind: 'too-large', lacking: 'memory' }
  if (!host.accepting) return { kind: 'not-accepting', reason: host.notAcceptingReason ?? 'no reason given' }
  const image = view.images.get(template.image)
  if (image?.state === 'failed') return { kind: 'image-unavailable', reason: image.reason }
  if (image?.state !== 'present') return { kind: 'pulling-image' }
  const backoff = host.backoffs.get(template.key)
  if (backoff !== undefined && backoff.until > now) return { kind: 'backing-off', until: backoff.until }
  return null
}

/** The one reason that a person should hear: that of the host nearest to being usable. */
export function explainObstacle(
  template: Template,
  assigned: readonly HostView[],
  now: EpochMs,
  lacking: (view: HostView) => Lacking,
): RefusalReason {
  if (assigned.length === 0) return { code: 'no-host-assigned', template: template.key }
  let best: Obstacle | null = null
  let room: Lacking = null
  for (const view of assigned) {
    const obstacle = obstacleOf(template, view, now)
    if (obstacle === null) {
      const lack = lacking(view)
      room = lack === 'starts' || room === null ? lack : room
    } else if (best === null || HOPE[obstacle.kind] > HOPE[best.kind] || isSooner(obstacle, best)) {
      best = obstacle
    }
  }
  if (room === 'starts') return { code: 'start-rate', template: template.key }
  if (room !== null || best === null)
    return { code: 'no-room', template: template.key, lacking: room ?? 'slots' }
  return reasonOf(template, best, assigned)
}

function isSooner(left: Obstacle, right: Obstacle): boolean {
  return left.kind === 'backing-off' && right.kind === 'backing-off' && left.until < right.until
}

function reasonOf(template: Template, obstacle: Obstacle, assigned: readonly HostView[]): RefusalReason {
  const { key, image } = template
  switch (obstacle.kind) {
    case 'offline':
      return { code: 'hosts-offline', template: key, hosts: assigned.slice(0, 5).map((view) => view.host.id) }
    case 'too-large':
      return { code: 'too-large', template: key, lacking: obstacle.lacking }
    case 'not-accepting':
      return { code: 'hosts-not-accepting', template: key, reason: obstacle.reason }
    case 'image-unavailable':
      return { code: 'image-unavailable', template: key, image, reason: obstacle.reason }
    case 'pulling-image':
      return { code: 'pulling-image', template: key, image }
    case 'backing-off':
      return { code: 'backing-off', template: key, until: obstacle.until }
  }
}
