import type { RunnerId } from '../../core/model/index.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { EndedEntry, Entry } from '../state/ledger.ts'
import type { Retention } from '../options.ts'

/** A failed runner's container is worth a look, unless its job was canceled. */
export function keepsContainer(entry: EndedEntry, retention: Retention): boolean {
  if (retention.max <= 0 || retention.ms <= 0) return false
  return entry.phase === 'exited' && entry.end.outcome === 'failed' && entry.end.code !== 'stopped'
}

/** Kept containers that are too old, or one too many: oldest first. */
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

/** A settled runner is remembered this long, should a command about it still be on its way. */
const REMEMBER_MS = 24 * 60 * 60_000
/** Never more than this: a host that starts 14 runners a minute all day. The oldest are forgotten first. */
const REMEMBER_MAX = 20_000

/** Which settled runners need no memory any more: long settled, and nothing of them left in the engine. */
export function forgettable(
  entries: ReadonlyMap<RunnerId, Entry>,
  listed: readonly EngineRunner[],
  now: number,
): (entry: Entry) => boolean {
  const inEngine = new Set(listed.map(({ runner }) => runner))
  let surplus = entries.size - REMEMBER_MAX
  // Entries stand in the order of their births, so the first are the oldest.
  return ({ runner, settledAt }) => {
    if (settledAt === null || inEngine.has(runner)) return false
    surplus -= 1
    return surplus >= 0 || now - settledAt >= REMEMBER_MS
  }
}
