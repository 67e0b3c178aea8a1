import type { Fence, Fleet, LeaseNotes } from '../../model/index.ts'
import type { FleetReader, HostStore } from '../../ports/index.ts'
import { unmintable } from '../launch/claim.ts'
import { endUnlaunched, type EndUnlaunchedParts } from '../planner/end-unlaunched.ts'
import { freeOrphan, type FreeOrphanParts, orphansOf } from '../planner/orphaned-slots.ts'
import type { Planner } from '../planner/planner.ts'
import type { LeaseNotesBook } from './lease-notes.ts'
import { logUnreadable } from '../skip-unreadable.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** Ends up to this much older than the last holder's notes are reported again: sources accept repeated reports. */
export const REPORT_AGAIN_MS = 60_000

/**
 * After this no older lease holder can claim anywhere. The new fence is written into every host, then everything is
 * read, so that each claim of an older fence is either seen here or refused there.
 */
export async function raiseFences(
  store: FleetReader & Pick<HostStore, 'raiseFence'>,
  fence: Fence,
): Promise<Fleet> {
  const before = await store.readFleet()
  await forEachLimited(before.hosts, WRITES_AT_ONCE, async (host) => {
    await store.raiseFence(host.id, fence)
  })
  return store.readFleet()
}

type ResumeParts = EndUnlaunchedParts & Pick<Planner, 'fleet' | 'sources'>
type TakeOverParts = ResumeParts & FreeOrphanParts

/** Continues what the last holder left between two steps. */
export async function takeUpWork(
  parts: TakeOverParts,
  everything: Fleet,
  book: LeaseNotesBook,
): Promise<void> {
  const { clock, log, fleet, sources, runners } = parts
  const notes = book.current()
  logUnreadable(log, everything.unreadable)
  fleet.applyAll(everything)
  fleet.noteRead(clock.monotonicMs())
  for (const state of sources.all) state.mints.resumeWindow(notes.mintWindows[state.id])
  // Before the first await: a renewal after it already stores this holder's own notes.
  reportRecentEnds(parts, notes)
  book.beginOwn()
  for (const host of everything.hosts) {
    await forEachLimited(orphansOf(fleet, host), WRITES_AT_ONCE, async (id) => {
      runners.advance(await freeOrphan(parts, host, id))
    })
  }
  await resumeReserved(parts)
}

/** Their tokens, if any were minted, are lost with the last holder; the source decides which may be minted again. */
async function resumeReserved(parts: ResumeParts): Promise<void> {
  const { clock, fleet, sources } = parts
  const reserved = [...fleet.liveRunners()].filter((runner) => runner.state === 'reserved')
  await forEachLimited(reserved, WRITES_AT_ONCE, async (runner) => {
    const over = unmintable(runner, clock.now())
    const state = sources.find(runner.source)
    if (over !== null) await endUnlaunched(parts, runner, over.code, over.reason)
    else if (state === undefined) {
      const reason = `Its source ${runner.source} is no longer configured.`
      await endUnlaunched(parts, runner, 'hub-restarted', reason)
    } else {
      state.mints.enqueue(runner)
      state.mints.wake()
    }
  })
}

function reportRecentEnds(
  { fleet, runners }: Pick<TakeOverParts, 'fleet' | 'runners'>,
  { reportedUpTo }: LeaseNotes,
): void {
  for (const runner of fleet.runners) {
    const upTo = reportedUpTo[runner.source] ?? 0
    if (runner.state !== 'gone' || runner.goneAt >= upTo - REPORT_AGAIN_MS) runners.report(runner)
  }
}
