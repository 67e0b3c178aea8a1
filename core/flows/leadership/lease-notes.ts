import type { LeaseNotes } from '../../model/index.ts'
import type { Clock } from '../../ports/index.ts'
import type { PlannerState } from '../planner/planner-state.ts'

type Parts = Omit<PlannerState, 'claims'> & { readonly clock: Clock }

/** What the lease tells its next holder: the last holder's notes, until this one has read them and begins its own. */
export class LeaseNotesBook {
  readonly #parts: Parts
  #inherited: LeaseNotes | null

  constructor(parts: Parts, inherited: LeaseNotes) {
    this.#parts = parts
    this.#inherited = inherited
  }

  /** What the last holder noted has been taken into the planner's state. */
  beginOwn(): void {
    this.#inherited = null
  }

  current(): LeaseNotes {
    return this.#inherited ?? this.#own()
  }

  #own(): LeaseNotes {
    const { clock, fleet, sources, work } = this.#parts
    // An end that came after the last reading may be unknown here: nothing is said of it.
    const readAt = Math.floor(clock.now() - (clock.monotonicMs() - fleet.readAtMs))
    return {
      mintWindows: Object.fromEntries(
        sources.all.flatMap(({ id, mints }) => (mints.window === undefined ? [] : [[id, mints.window]])),
      ),
      reportedUpTo: Object.fromEntries(
        sources.all.map(({ id, reports }) => [id, reports.reportedUpTo(readAt)]),
      ),
      lastWorkAt: Math.floor(work.lastWorkAt),
      workLeft: work.isLeft,
    }
  }
}
