import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runnerId } from '../../../core/model/index.ts'
import type { EngineRunner } from '../../../agent/engines/engine.ts'
import { applyRecord, createLedger, isLive, recordsOf, type Entry } from '../../../agent/state/ledger.ts'
import { reconcileRunner, type Action } from '../../../agent/runners/reconcile-decision.ts'
import type { RunnerRecord } from '../../../protocol/journal.ts'
import { ORIGIN } from '../harness.ts'

const RUNNER = runnerId('01920000-0000-7000-8000-000000000001')
const base = { runner: RUNNER, origin: ORIGIN, at: 1 }
const END = { outcome: 'failed', code: 'exited-with-error', reason: 'x', exitCode: 1 } as const

const record: fc.Arbitrary<RunnerRecord> = fc.constantFrom<RunnerRecord[]>(
  { record: 'accepted', ...base, bootId: 'boot-1' },
  { record: 'accepted', ...base, bootId: null },
  { record: 'running', ...base, bootId: 'boot-1', startedAt: 5 },
  { record: 'running', ...base, bootId: 'boot-2', startedAt: 6 },
  { record: 'stopping', runner: RUNNER, at: 1, code: 'stopped', reason: 'asked' },
  { record: 'exited', ...base, startedAt: 5, finishedAt: 9, end: END },
  { record: 'refused', ...base, end: { ...END, code: 'never-started' } },
  { record: 'refused', ...base, origin: null, end: { ...END, code: 'never-arrived' } },
  { record: 'cleared', runner: RUNNER, at: 1 },
  { record: 'settled', runner: RUNNER, at: 7 },
)
const history = fc.array(record, { maxLength: 12 })

function fold(records: readonly RunnerRecord[]): Entry | undefined {
  let entry: Entry | undefined
  for (const one of records) entry = applyRecord(entry, one)
  return entry
}

const RANK = { accepted: 0, running: 1, exited: 2, refused: 2 } as const

function movesUp(before: Entry, after: Entry | undefined): boolean {
  if (after === undefined || RANK[after.phase] < RANK[before.phase]) return false
  if (after.version < before.version || before.settledAt !== null) return after === before
  if (!isLive(before)) return !isLive(after) && after.phase === before.phase && after.end === before.end
  return after.phase === before.phase || after.version > before.version
}

const seen: fc.Arbitrary<EngineRunner | null> = fc.option(
  fc.record({
    runner: fc.constant(RUNNER),
    origin: fc.constant(ORIGIN),
    state: fc.constantFrom('created', 'running', 'exited', 'dead'),
    createdAt: fc.constant(4),
    startedAt: fc.constantFrom(null, 5),
    finishedAt: fc.constantFrom(null, 9),
    exitCode: fc.constantFrom(null, 0, 1, 137),
    oomKilled: fc.boolean(),
    error: fc.constantFrom(null, 'no such file'),
    startDeadlineMs: fc.constant(1),
    maxLifetimeMs: fc.constant(1),
    stopTimeoutMs: fc.constant(1),
  }),
)

function decide(
  container: EngineRunner | null,
  entry: Entry | undefined,
  launching = false,
  bootId = 'boot-1',
): Action {
  return reconcileRunner({ seen: container, entry, launching, bootId, now: 10, keeps: () => false })
}

describe('the ledger', () => {
  it('phases only move up, an end is final, and the version rises with each change that the hub hears of', () => {
    fc.assert(
      fc.property(history, (records) => {
        let before: Entry | undefined
        for (const one of records) {
          const after = applyRecord(before, one)
          expect(before === undefined || movesUp(before, after)).toBe(true)
          before = after
        }
      }),
    )
  })

  it('W8: a record twice is a record once', () => {
    fc.assert(
      fc.property(history, record, (records, again) => {
        const once = fold([...records, again])
        expect(fold([...records, again, again])).toEqual(once)
      }),
    )
  })

  it('compaction brings back the same entries', () => {
    fc.assert(
      fc.property(history, (records) => {
        const entry = fold(records)
        const back = entry === undefined ? undefined : fold(recordsOf(entry))
        expect({ ...back, version: 0 }).toEqual({ ...entry, version: 0 })
      }),
    )
  })

  it('forgets only what is settled', () => {
    fc.assert(
      fc.property(history, (records) => {
        const ledger = createLedger()
        for (const one of records) ledger.apply(one)
        const entry = ledger.entries.get(RUNNER)
        ledger.forget(() => true)
        expect(ledger.entries.has(RUNNER)).toBe(entry !== undefined && entry.settledAt === null)
      }),
    )
  })
})

describe('reconcile', () => {
  it('leaves alone what is just being launched', () => {
    fc.assert(
      fc.property(seen, history, (container, records) => {
        expect(decide(container, fold(records), true)).toEqual({ kind: 'nothing' })
      }),
    )
  })

  it('never removes what runs, and stops it only where a stop or an end is written', () => {
    fc.assert(
      fc.property(seen, history, (container, records) => {
        const entry = fold(records)
        const action = decide(container, entry)
        if (container?.state !== 'running') return
        expect(['nothing', 'adopt', 'stop']).toContain(action.kind)
        const mayStop = entry !== undefined && (!isLive(entry) || entry.stopping !== null)
        expect(action.kind !== 'stop' || mayStop).toBe(true)
      }),
    )
  })

  it('finished is said only of an exit 0, in the boot that it was started in, with nobody having stopped it', () => {
    fc.assert(
      fc.property(seen, history, fc.constantFrom('boot-1', 'boot-2'), (container, records, bootId) => {
        const entry = fold(records)
        const action = decide(container, entry, false, bootId)
        if (action.kind !== 'end' || action.end.outcome !== 'finished') return
        expect(container).toMatchObject({ state: 'exited', exitCode: 0 })
        expect(entry).toMatchObject({ bootId, stopping: null })
      }),
    )
  })

  it('K17: from any journal and any container, repeated care comes to rest, with its end written down once', () => {
    fc.assert(
      fc.property(seen, history, (first, records) => {
        let entry = fold(records)
        let container = first
        const ends: string[] = []
        for (let step = 0; step < 8; step += 1) {
          const action = decide(container, entry)
          if (action.kind === 'nothing') break
          const next = perform(action, container, entry)
          if (action.kind === 'end' || action.kind === 'refuse' || action.kind === 'discard')
            ends.push(action.kind)
          entry = next.entry
          container = next.container
        }
        expect(decide(container, entry)).toEqual({ kind: 'nothing' })
        expect(ends.length).toBeLessThanOrEqual(1)
        const live = entry !== undefined && isLive(entry)
        expect(container?.state ?? null).toBe(live ? 'running' : null)
        expect(entry === undefined || isLive(entry) || entry.cleared).toBe(true)
      }),
    )
  })
})

/** What the reconciler does, on paper. */
function perform(
  action: Action,
  container: EngineRunner | null,
  entry: Entry | undefined,
): { entry: Entry | undefined; container: EngineRunner | null } {
  const apply = (one: RunnerRecord): Entry | undefined => applyRecord(entry, one)
  switch (action.kind) {
    case 'adopt':
      return { entry: apply({ record: 'running', ...base, bootId: 'boot-1', startedAt: 5 }), container }
    case 'end':
      return {
        entry: apply({
          record: 'exited',
          ...base,
          startedAt: action.startedAt,
          finishedAt: action.finishedAt,
          end: action.end,
        }),
        container,
      }
    case 'refuse':
    case 'discard':
      return { entry: apply({ record: 'refused', ...base, end: action.end }), container: null }
    case 'clear':
    case 'note-cleared':
      return { entry: apply({ record: 'cleared', runner: RUNNER, at: 1 }), container: null }
    case 'stop':
      return {
        entry,
        container: container === null ? null : { ...container, state: 'exited', startedAt: 5, exitCode: 143 },
      }
    case 'nothing':
      return { entry, container }
    default:
      return action satisfies never
  }
}
