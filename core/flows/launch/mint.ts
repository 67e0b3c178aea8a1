import { type EpochMs, type ReservedRunner, type Template } from '../../model/index.ts'
import { type Mint, SourceError } from '../../ports/index.ts'
import { unmintable } from './claim.ts'
import { BACKOFF, backoffMs } from '../../concurrency/backoff.ts'
import { dispatch, type DispatchParts, type Minted } from './dispatch.ts'
import { endUnlaunched, type EndUnlaunchedParts } from '../planner/end-unlaunched.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** Batches in flight at once: one waits for the source while another is stored and sent. */
export const MINTS_AT_ONCE = 2
const IDLE_MS = 60_000

type Parts = DispatchParts & Pick<Planner, 'handOver' | 'templates' | 'startedAt'>

/** Mints waiting runners of one source in small batches and dispatches them, until the signal aborts. */
export async function mintAndDispatch(parts: Parts, state: SourceState, signal: AbortSignal): Promise<void> {
  const { clock, lease, handOver } = parts
  const { mints, limits } = state
  while (!signal.aborted && lease.holds() && !handOver.hasBegun) {
    const step = mints.next(limits, clock)
    if (step.kind === 'wait') await mints.waitForRunner(clock, IDLE_MS, signal)
    else if (step.kind === 'pause') await clock.sleep(step.ms, signal)
    else await mintBatch(parts, state, step.batch, signal)
  }
}

async function mintBatch(parts: Parts, state: SourceState, max: number, signal: AbortSignal): Promise<void> {
  const batch = state.mints.takeBatch(max)
  try {
    await mintAndSend(parts, state, batch, signal)
  } finally {
    state.mints.batchEnded()
  }
}

interface Mintable {
  readonly runner: ReservedRunner
  readonly template: Template
}

async function mintAndSend(
  parts: Parts,
  state: SourceState,
  batch: readonly ReservedRunner[],
  signal: AbortSignal,
): Promise<void> {
  const ready = await keepMintable(parts, batch)
  const [first] = ready
  if (first === undefined) return
  const { clock, lease } = parts
  state.mints.callStarted(state.limits, clock)
  const reservation = first.runner.reservation?.id ?? null
  const runners = ready.map(({ runner, template }) => ({ id: runner.id, template }))
  let mints: readonly Mint[]
  try {
    mints = await lease.call(signal, (guarded) => state.source.mint({ reservation, runners }, guarded))
  } catch (thrown) {
    const failed = ready.map(({ runner }) => runner)
    await handleFailure(parts, state, failed, thrown)
    return
  }
  const answers = new Map(mints.map((mint) => [mint.runner, mint]))
  const { minted, refused } = splitByAnswer(ready, answers)
  noteMint(parts, state, first.runner, minted.length > 0)
  await dispatch(parts, state, minted)
  await forEachLimited(refused, WRITES_AT_ONCE, (runner) => endRefused(parts, runner, answers.get(runner.id)))
}

function splitByAnswer(
  ready: readonly Mintable[],
  answers: ReadonlyMap<ReservedRunner['id'], Mint>,
): { minted: readonly Minted[]; refused: readonly ReservedRunner[] } {
  const minted: Minted[] = []
  const refused: ReservedRunner[] = []
  for (const { runner, template } of ready) {
    const mint = answers.get(runner.id)
    if (mint?.ok === true) minted.push({ runner, template, mint })
    else refused.push(runner)
  }
  return { minted, refused }
}

async function endRefused(
  parts: EndUnlaunchedParts,
  runner: ReservedRunner,
  mint: Mint | undefined,
): Promise<void> {
  if (mint === undefined || mint.ok)
    await endUnlaunched(parts, runner, 'mint-unknown', 'The source gave no answer for this runner.')
  else await endUnlaunched(parts, runner, mint.code, mint.reason)
}

/** Ends runners whose reservation is over or whose template has changed: no token must be spent on them. */
async function keepMintable(parts: Parts, batch: readonly ReservedRunner[]): Promise<readonly Mintable[]> {
  const { clock, fleet } = parts
  const templates = new Map(parts.templates().map((template) => [template.key, template]))
  const ready: Mintable[] = []
  await forEachLimited(batch, WRITES_AT_ONCE, async (queued) => {
    const runner = fleet.runner(queued.id)
    if (runner?.state !== 'reserved') return
    const template = templates.get(runner.template)
    const refusal = refusalOf(runner, template, clock.now())
    if (refusal !== null) await endUnlaunched(parts, runner, refusal.code, refusal.reason)
    else if (template !== undefined) ready.push({ runner, template })
  })
  return ready
}

function refusalOf(
  runner: ReservedRunner,
  template: Template | undefined,
  now: EpochMs,
): ReturnType<typeof unmintable> {
  const over = unmintable(runner, now)
  if (over !== null) return over
  if (template === undefined)
    return { code: 'mint-refused', reason: `Template ${runner.template} was removed.` }
  if (isMadeFrom(runner, template)) return null
  return { code: 'mint-refused', reason: `Template ${template.key} has changed since the slot was claimed.` }
}

/** Whether the claimed slot and the runner's labels still match the template. */
function isMadeFrom(
  { cpuMillis, memoryMib, labels }: ReservedRunner,
  { size, ...template }: Template,
): boolean {
  const hasRoom = cpuMillis === size.cpuMillis && memoryMib === size.memoryMib
  return hasRoom && labels.join() === template.labels.join()
}

/** If the call surely had no effect, the runners are queued again. Otherwise their tokens count as spent. */
async function handleFailure(
  parts: Parts,
  state: SourceState,
  runners: readonly ReservedRunner[],
  thrown: unknown,
): Promise<void> {
  if (!(thrown instanceof SourceError)) throw thrown
  const { kind, message, retryAfterMs } = thrown
  parts.log.emit({
    name: 'source.mint-failed',
    source: state.id,
    kind,
    reason: message,
    runners: runners.length,
  })
  if (kind === 'rate-limited' || kind === 'unavailable') {
    const pauseMs = Math.max(backoffMs(BACKOFF.mint, 1, parts.random.unit()), retryAfterMs ?? 0)
    state.mints.returnBatch(runners, parts.clock.monotonicMs() + pauseMs)
    return
  }
  noteMint(parts, state, runners[0], false)
  const code = kind === 'unknown-outcome' ? 'mint-unknown' : 'mint-refused'
  await forEachLimited(runners, WRITES_AT_ONCE, (runner) => endUnlaunched(parts, runner, code, message))
}

/**
 * Backs off from a source that grants jobs and mints no tokens: otherwise the same jobs would be asked for again and
 * again (inv. 20: no storm of retries). Runners of the last holder don't count: their tokens may well be spent.
 */
function noteMint(
  { clock, random, log, startedAt }: Pick<Parts, 'clock' | 'random' | 'log' | 'startedAt'>,
  { id, mints }: SourceState,
  first: ReservedRunner | undefined,
  gaveSome: boolean,
): void {
  if (gaveSome) mints.mintSucceeded()
  if (gaveSome || first === undefined || first.reservedAt < startedAt) return
  const failures = mints.mintFailed(clock.monotonicMs(), random.unit())
  if (failures !== null) log.emit({ name: 'source.mint-backing-off', source: id, failures })
}
