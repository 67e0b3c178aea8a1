import { type Host, type HostId, isAssigned } from '../../model/index.ts'
import type { FleetReader } from '../../ports/index.ts'
import { sendPrefetch } from '../agent/agent-session.ts'
import type { Planner } from './planner.ts'
import { logUnreadable } from '../skip-unreadable.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** While there is work, the fleet is read about twice a second. */
const BUSY_INTERVAL_MS = 400
const IDLE_INTERVAL_MS = 5_000
/** A full reading finds what the change feed missed. */
const FULL_READ_EVERY_MS = 60_000
/** New templates are in force this soon after they are stored. */
const TEMPLATES_EVERY_MS = 10_000
/** A host that has just come online got its images from its session. */
const SETTLED_MS = 10_000
const REQUEST_IMAGES_AGAIN_MS = 60_000
/** The change feed repeats itself for some seconds; an end must be remembered for longer than that. */
const GONE_MEMORY_MS = 5 * 60_000

type FleetParts = Pick<
  Planner,
  'clock' | 'log' | 'lease' | 'fleet' | 'sources' | 'runners' | 'work' | 'fleetChanged'
> & { readonly store: FleetReader }

/** Keeps the cache of the fleet fresh: changes often, everything slowly. */
export async function followFleet(parts: FleetParts, since: number, signal: AbortSignal): Promise<void> {
  const { store, clock, lease, fleet, runners } = parts
  let cursor = since
  let fullReadAtMs = clock.monotonicMs() + FULL_READ_EVERY_MS
  while (!signal.aborted && lease.holds()) {
    await parts.fleetChanged.wait(clock, isBusy(parts) ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS, signal)
    if (signal.aborted) return
    const askedAtMs = clock.monotonicMs()
    const changes = await store.readChanges(cursor)
    cursor = changes.cursor
    const isNews = fleet.isNews(changes)
    for (const advance of fleet.apply(changes)) runners.follow(advance)
    fleet.noteRead(askedAtMs)
    if (isNews) parts.sources.capacityFreed()
    if (clock.monotonicMs() >= fullReadAtMs) {
      await readEverything(parts)
      fullReadAtMs = clock.monotonicMs() + FULL_READ_EVERY_MS
    }
  }
}

type ImageParts = Pick<Planner, 'clock' | 'log' | 'gateway' | 'fleet' | 'templates'>
type TemplateParts = ImageParts & Pick<Planner, 'lease' | 'templatesInForce' | 'work' | 'sources'>

/** Reads new templates, and asks the hosts to pull their images. */
export async function followTemplates(parts: TemplateParts, signal: AbortSignal): Promise<void> {
  const { clock, lease, templatesInForce } = parts
  const requestedAtMs = new Map<HostId, number>()
  while (!signal.aborted && lease.holds()) {
    await requestImages(parts, requestedAtMs, (host) => isOverdue(parts, requestedAtMs, host))
    await clock.sleep(TEMPLATES_EVERY_MS, signal)
    if (signal.aborted || !(await templatesInForce.refresh())) continue
    parts.work.sawWork()
    await requestImages(parts, requestedAtMs, () => true)
    parts.sources.pollAll()
  }
}

async function requestImages(
  parts: ImageParts,
  requestedAtMs: Map<HostId, number>,
  isMeant: (host: Host) => boolean,
): Promise<void> {
  const hosts = [...parts.fleet.hosts].filter((host) => host.state === 'online' && isMeant(host))
  await forEachLimited(hosts, WRITES_AT_ONCE, async (host) => {
    requestedAtMs.set(host.id, parts.clock.monotonicMs())
    if (host.connection !== null)
      await sendPrefetch(parts, { host: host.id, connection: host.connection }, host)
  })
}

/**
 * Whether a host has reported nothing yet of an image that it should have: the templates were stored while no planner
 * ran, or the message was lost.
 */
function isOverdue(parts: ImageParts, requestedAtMs: ReadonlyMap<HostId, number>, host: Host): boolean {
  const { clock } = parts
  const sinceRequestMs = clock.monotonicMs() - (requestedAtMs.get(host.id) ?? -Infinity)
  const isSettled = clock.now() - host.stateSince >= SETTLED_MS
  return isSettled && sinceRequestMs >= REQUEST_IMAGES_AGAIN_MS && lacksImage(parts, host)
}

function lacksImage({ fleet, templates }: Pick<ImageParts, 'fleet' | 'templates'>, host: Host): boolean {
  const reported = fleet.imagesOf(host.id)
  return templates().some((template) => isAssigned(template, host) && !reported.has(template.image))
}

async function readEverything({ store, clock, log, fleet, runners, sources }: FleetParts): Promise<void> {
  const everything = await store.readFleet()
  logUnreadable(log, everything.unreadable)
  for (const advance of fleet.applyAll(everything)) runners.follow(advance)
  fleet.forgetGone(clock.now() - GONE_MEMORY_MS)
  sources.capacityFreed()
}

/** A runner lives, or a job waits for hosts or images that may appear at any moment. */
function isBusy({ fleet, sources, work }: Pick<Planner, 'fleet' | 'sources' | 'work'>): boolean {
  if (fleet.liveRunnerCount > 0) return true
  if (sources.all.some((state) => state.isStarved || state.waiting.length > 0)) return true
  return work.msSinceWork < IDLE_INTERVAL_MS
}
