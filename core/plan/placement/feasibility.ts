import type { EpochMs, Host, HostId, RefusalReason, Template } from '../../model/index.ts'
import type { HostView } from '../world.ts'

/** Which resource of a usable host is insufficient for one more runner. */
export type Lacking = 'cpu' | 'memory' | 'slots' | 'starts'

/** Enough names to know which hosts are meant. */
const HOSTS_NAMED_MAX = 5

/**
 * Why an assigned host can't hold one more runner of a template, whatever its free capacity; null = it can. Sorted by
 * rank, from hardest to easiest to fix, so that the host nearest to being usable can be reported.
 */
export type Infeasibility =
  | { readonly kind: 'too-large'; readonly lacking: 'cpu' | 'memory' }
  | { readonly kind: 'offline' }
  | { readonly kind: 'not-accepting'; readonly reason: string }
  | { readonly kind: 'image-unavailable'; readonly reason: string }
  | { readonly kind: 'pulling-image' }
  | { readonly kind: 'backing-off'; readonly until: EpochMs }

const RANK: Readonly<Record<Infeasibility['kind'], number>> = {
  'too-large': 0,
  offline: 1,
  'not-accepting': 2,
  'image-unavailable': 3,
  'pulling-image': 4,
  'backing-off': 5,
}

export function infeasibilityOf(template: Template, view: HostView, now: EpochMs): Infeasibility | null {
  const { host } = view
  const lacking = sizeLacking(template, host)
  if (lacking !== null) return { kind: 'too-large', lacking }
  if (!isOnline(view, now)) return { kind: 'offline' }
  if (!host.accepting) return { kind: 'not-accepting', reason: host.notAcceptingReason ?? 'no reason given' }
  const image = view.images.get(template.image)
  if (image?.state === 'failed') return { kind: 'image-unavailable', reason: image.reason }
  if (image?.state !== 'present') return { kind: 'pulling-image' }
  const backoff = host.backoffs.get(template.key)
  if (backoff !== undefined && backoff.until > now) return { kind: 'backing-off', until: backoff.until }
  return null
}

/** Whether a host takes runners at all, whatever their template. */
export function isUsable(view: HostView, now: EpochMs): boolean {
  return isOnline(view, now) && view.host.accepting
}

function isOnline({ host, liveness }: HostView, now: EpochMs): boolean {
  if (host.state !== 'online' || host.connection === null) return false
  return liveness === null || liveness.expectedBy >= now
}

/**
 * Which resource a host of this size can never have enough of. A host that never connected has not reported its size.
 */
function sizeLacking({ size }: Template, { state, capacity }: Host): 'cpu' | 'memory' | null {
  if (state === 'new') return null
  if (size.cpuMillis > capacity.cpuMillis) return 'cpu'
  return size.memoryMib > capacity.memoryMib ? 'memory' : null
}

/** The one reason to report: that of the host nearest to being usable. */
export function explainInfeasibility<Candidate extends { readonly view: HostView }>(
  template: Template,
  assigned: readonly Candidate[],
  now: EpochMs,
  lackingIn: (candidate: Candidate) => Lacking | null,
): RefusalReason {
  const { key } = template
  if (assigned.length === 0) return { code: 'no-host-assigned', template: key }
  let best: Infeasibility | null = null
  const offline: HostId[] = []
  const lacks = new Set<Lacking>()
  for (const candidate of assigned) {
    const { view } = candidate
    const infeasibility = infeasibilityOf(template, view, now)
    if (infeasibility === null) lacks.add(lackingIn(candidate) ?? 'slots')
    else if (best === null || isNearer(infeasibility, best)) best = infeasibility
    if (infeasibility?.kind === 'offline' && offline.length < HOSTS_NAMED_MAX) offline.push(view.host.id)
  }
  if (lacks.has('starts')) return { code: 'start-rate', template: key }
  for (const lacking of ['cpu', 'memory', 'slots'] as const)
    if (lacks.has(lacking)) return { code: 'no-room', template: key, lacking }
  return best === null ? { code: 'no-host-assigned', template: key } : reasonOf(template, best, offline)
}

function isNearer(one: Infeasibility, than: Infeasibility): boolean {
  if (one.kind === 'backing-off' && than.kind === 'backing-off') return one.until < than.until
  return RANK[one.kind] > RANK[than.kind]
}

function reasonOf(
  template: Template,
  infeasibility: Infeasibility,
  offline: readonly HostId[],
): RefusalReason {
  const { key, image } = template
  switch (infeasibility.kind) {
    case 'too-large':
      return { code: 'too-large', template: key, lacking: infeasibility.lacking }
    case 'offline':
      return { code: 'hosts-offline', template: key, hosts: offline }
    case 'not-accepting':
      return { code: 'hosts-not-accepting', template: key, reason: infeasibility.reason }
    case 'image-unavailable':
      return { code: 'image-unavailable', template: key, image, reason: infeasibility.reason }
    case 'pulling-image':
      return { code: 'pulling-image', template: key, image }
    case 'backing-off':
      return { code: 'backing-off', template: key, until: infeasibility.until }
  }
}
