import type { Fence, Fleet, LeaseNotes } from '../../model/index.ts'
import type { FleetStore } from '../../ports/index.ts'
import { unmintable } from '../launch/claim.ts'
import type { Loop } from '../planner/planner.ts'
import { freeOrphan, orphansOf } from '../planner/orphaned-slots.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { logUnreadable } from '../skip-unreadable.ts'

/** Ends a little older than what the last holder noted are told again: sources take repeats calmly. */
export const REPORT_AGAIN_MS = 60_000

/**
 * The barrier of a take-over: after it no older holder can claim anywhere. The new fence is written into every host,
 * then everything is read, so that each claim of an older fence is either seen here or refused there.
 */
export async function raiseBarrier(store: FleetStore, fence: Fence): Promise<Fleet> {
  const before = await store.readFleet()
  await forEachLimited(before.hosts, WRITES_AT_ONCE, async (host) => {
    await store.raiseFence(host.id, fence)
  })
  return store.readFleet()
}

/** Goes on with what the last holder left between two steps. */
export async function takeUpWork(loop: Loop, fleet: Fleet, notes: LeaseNotes): Promise<void> {
  logUnreadable(loop.hub.log, fleet.unreadable)
  loop.view.applyAll(fleet)
  for (const desk of loop.desks) desk.mintWindow = notes.mintWindows[desk.id]
  // Before the first pause: from then on a renewal notes what this holder still owes.
  reportRecentEnds(loop, notes)
  for (const host of fleet.hosts) {
    await forEachLimited(orphansOf(loop.view, host), WRITES_AT_ONCE, async (id) => {
      loop.advance(await freeOrphan(loop.hub, host, id))
    })
  }
  await resumeReserved(loop)
}

/** Their tokens, if any were minted, died with the last holder; the source says which may be minted again. */
async function resumeReserved(loop: Loop): Promise<void> {
  const reserved = [...loop.view.liveRunners()].filter((runner) => runner.state === 'reserved')
  await forEachLimited(reserved, WRITES_AT_ONCE, async (runner) => {
    const over = unmintable(runner, loop.now)
    const desk = loop.desk(runner.source)
    if (over !== null) await loop.endUnlaunched(runner, over.code, over.reason)
    else if (desk === undefined)
      await loop.endUnlaunched(
        runner,
        'hub-restarted',
        `Its source ${runner.source} is no longer configured.`,
      )
    else {
      desk.mintQueue.push(runner)
      desk.mintNeeded.notify()
    }
  })
}

function reportRecentEnds(loop: Loop, notes: LeaseNotes): void {
  for (const runner of loop.view.runners) {
    const upTo = notes.reportedUpTo[runner.source] ?? 0
    if (runner.state !== 'gone' || runner.goneAt >= upTo - REPORT_AGAIN_MS) loop.report(runner)
  }
}
