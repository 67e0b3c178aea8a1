import { type Host, type HostId, isAssigned } from '../../model/index.ts'
import { sendPrefetch } from '../agent/agent-session.ts'
import type { Loop } from './planner.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { logUnreadable } from '../skip-unreadable.ts'

/** About twice a second while work lives. */
const BUSY_INTERVAL_MS = 400
const IDLE_INTERVAL_MS = 5_000
/** The slow repair: whatever a hint missed is found here. */
const FULL_READ_EVERY_MS = 60_000
/** Whoever stores new templates sees them in force soon after. */
const TEMPLATES_EVERY_MS = 10_000
/** A host that has just come online was told by its session. */
const SETTLED_MS = 10_000
const TELL_IMAGES_AGAIN_MS = 60_000
/** The change feed repeats itself for some seconds; an end must be remembered for longer than that. */
const GONE_MEMORY_MS = 5 * 60_000

/** Keeps the view of the fleet fresh: changes often, everything slowly. */
export async function watchFleet(loop: Loop, since: number, signal: AbortSignal): Promise<void> {
  const { store, clock } = loop.hub
  let cursor = since
  let fullReadAtMs = clock.monotonicMs() + FULL_READ_EVERY_MS
  while (!signal.aborted && loop.lease.holds()) {
    await loop.changes.wait(clock, isBusy(loop) ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS, signal)
    if (signal.aborted) return
    const askedAtMs = clock.monotonicMs()
    const changes = await store.readChanges(cursor)
    cursor = changes.cursor
    const isNews = loop.view.isNews(changes)
    for (const advance of loop.view.apply(changes)) loop.follow(advance)
    loop.lookedAtMs = askedAtMs
    if (isNews) loop.roomChanged()
    if (clock.monotonicMs() >= fullReadAtMs) {
      await readEverything(loop)
      fullReadAtMs = clock.monotonicMs() + FULL_READ_EVERY_MS
    }
  }
}

/** Takes up new templates, and has the hosts fetch their images. */
export async function followTemplates(loop: Loop, signal: AbortSignal): Promise<void> {
  const { clock, templatesInForce } = loop.hub
  const toldAtMs = new Map<HostId, number>()
  while (!signal.aborted && loop.lease.holds()) {
    await tellImages(loop, toldAtMs, (host) => isOverdue(loop, toldAtMs, host))
    await clock.sleep(TEMPLATES_EVERY_MS, signal)
    if (signal.aborted || !(await templatesInForce.refresh())) continue
    loop.sawWork()
    await tellImages(loop, toldAtMs, () => true)
    for (const desk of loop.desks) desk.pollNeeded.notify()
  }
}

async function tellImages(
  loop: Loop,
  toldAtMs: Map<HostId, number>,
  isMeant: (host: Host) => boolean,
): Promise<void> {
  const hosts = [...loop.view.hosts].filter((host) => host.state === 'online' && isMeant(host))
  await forEachLimited(hosts, WRITES_AT_ONCE, async (host) => {
    toldAtMs.set(host.id, loop.hub.clock.monotonicMs())
    if (host.connection !== null)
      await sendPrefetch(loop.hub, { host: host.id, connection: host.connection }, host)
  })
}

/**
 * Whether a host has said nothing yet of an image that it should have: the templates were stored while nobody planned,
 * or the word was lost.
 */
function isOverdue(loop: Loop, toldAtMs: ReadonlyMap<HostId, number>, host: Host): boolean {
  const sinceToldMs = loop.hub.clock.monotonicMs() - (toldAtMs.get(host.id) ?? -Infinity)
  return (
    loop.now - host.stateSince >= SETTLED_MS && sinceToldMs >= TELL_IMAGES_AGAIN_MS && lacksImage(loop, host)
  )
}

function lacksImage(loop: Loop, host: Host): boolean {
  const told = loop.view.imagesOf(host.id)
  return loop.hub.templates().some((template) => isAssigned(template, host) && !told.has(template.image))
}

async function readEverything(loop: Loop): Promise<void> {
  const fleet = await loop.hub.store.readFleet()
  logUnreadable(loop.hub.log, fleet.unreadable)
  for (const advance of loop.view.applyAll(fleet)) loop.follow(advance)
  loop.view.forgetGone(loop.now - GONE_MEMORY_MS)
  loop.roomChanged()
}

/** Work lives, or waits for hosts or images that may be there any moment. */
function isBusy(loop: Loop): boolean {
  if (loop.view.liveRunnerCount > 0) return true
  if (loop.desks.some((desk) => desk.starved || desk.waiting.length > 0)) return true
  return loop.msSinceWork < IDLE_INTERVAL_MS
}
