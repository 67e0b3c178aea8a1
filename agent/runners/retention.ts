import type { RunnerId } from '../../core/model/index.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { EndedEntry, Entry } from '../state/ledger.ts'
import type { Retention } from '../options.ts'

/** Whether the container is kept for inspection: that of a failed runner, unless its job was canceled. */
export function keepsContainer(entry: EndedEntry, retention: Retention): boolean {
  if (retention.max <= 0 || retention.ms <= 0) return false
  return entry.phase === 'exited' && entry.end.outcome === 'failed' && entry.end.code !== 'stopped'
}

/** Kept containers that are too old or too many: oldest first. */
export function excessOf(
  listed: readonly EngineRunner[],
  entries: ReadonlyMap<RunnerId, Entry>,
  retention: Retention,
  now: number,
): readonly RunnerId[] {
  const kept = listed
    .filter((seen) => isKept(seen, entries.get(seen.runner)))
    .map((seen) => ({ runner: seen.runner, endedAt: seen.finishedAt ?? seen.createdAt }))
    .toSorted((left, right) => right.endedAt - left.endedAt)
  return kept
    .filter(({ endedAt }, index) => index >= retention.max || now - endedAt >= retention.ms)
    .map(({ runner }) => runner)
    .toReversed()
}

function isKept(seen: EngineRunner, entry: Entry | undefined): boolean {
  return seen.state !== 'running' && entry?.phase === 'exited' && entry.cleared
}

/** A settled runner is remembered this long, in case a command about it is still on its way. */
const REMEMBER_MS = 24 * 60 * 60_000
/** Upper limit, for a host that starts 14 runners a minute all day. The oldest are forgotten first. */
const REMEMBER_MAX = 20_000

/** Which settled runners may be forgotten: settled long ago, and no container left in the engine. */
export function forgettable(
  entries: ReadonlyMap<RunnerId, Entry>,
  listed: readonly EngineRunner[],
  now: number,
): (entry: Entry) => boolean {
  const inEngine = new Set(listed.map(({ runner }) => runner))
  let surplus = entries.size - REMEMBER_MAX
  // Entries are in insertion order, so the first are the oldest.
  return ({ runner, settledAt }) => {
    if (settledAt === null || inEngine.has(runner)) return false
    surplus -= 1
    return surplus >= 0 || now - settledAt >= REMEMBER_MS
  }
}
