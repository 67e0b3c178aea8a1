import type { ReservedRunner, Template } from '../../model/index.ts'
import { countMint, mintAllowance, nextBackoff } from '../../plan/index.ts'
import { type Mint, SourceError } from '../../ports/index.ts'
import { unmintable } from './claim.ts'
import { dispatch } from './dispatch.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'
import { BACKOFF, backoffMs } from '../../concurrency/backoff.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** Batches on their way at once: one waits for the source while another is written and posted. */
export const MINTS_AT_ONCE = 2
const IDLE_MS = 60_000

/** Mints waiting runners of one source in small batches and dispatches them, until the signal aborts. */
export async function mintAndDispatch(loop: Loop, desk: SourceDesk, signal: AbortSignal): Promise<void> {
  const { clock } = loop.hub
  while (!signal.aborted && loop.lease.holds() && !loop.isLeaving) {
    const allowance = mintAllowance(desk.limits, desk.mintWindow, loop.now)
    const pauseMs = desk.mintAfterMs - clock.monotonicMs()
    if (desk.mintQueue.length === 0) await desk.mintNeeded.wait(clock, IDLE_MS, signal)
    else if (pauseMs > 0) await clock.sleep(pauseMs, signal)
    else if ('waitMs' in allowance) await clock.sleep(allowance.waitMs, signal)
    else {
      desk.minting += 1
      await mintBatch(loop, desk, takeBatch(desk, allowance.batch), signal).finally(() => (desk.minting -= 1))
    }
  }
}

/** The first runner in line and those that share its reservation. */
function takeBatch(desk: SourceDesk, most: number): readonly ReservedRunner[] {
  const reservation = desk.mintQueue[0]?.reservation?.id
  const batch: ReservedRunner[] = []
  for (let index = 0; index < desk.mintQueue.length && batch.length < most; ) {
    const runner = desk.mintQueue[index]
    if (runner !== undefined && runner.reservation?.id === reservation) {
      batch.push(runner)
      desk.mintQueue.splice(index, 1)
    } else index += 1
  }
  if (desk.mintQueue.length > 0) desk.mintNeeded.notify()
  return batch
}

async function mintBatch(
  loop: Loop,
  desk: SourceDesk,
  batch: readonly ReservedRunner[],
  signal: AbortSignal,
): Promise<void> {
  const ready = await keepMintable(loop, batch)
  if (ready.length === 0) return
  desk.mintWindow = countMint(desk.limits, desk.mintWindow, loop.now)
  const reservation = ready[0]?.runner.reservation?.id ?? null
  const runners = ready.map(({ runner, template }) => ({ id: runner.id, template }))
  let mints: readonly Mint[]
  try {
    mints = await loop.lease.call(signal, (guarded) => desk.source.mint({ reservation, runners }, guarded))
  } catch (thrown) {
    await mintFailed(
      loop,
      desk,
      ready.map(({ runner }) => runner),
      thrown,
    )
    return
  }
  const byId = new Map(mints.map((mint) => [mint.runner, mint]))
  const minted = ready.flatMap(({ runner, template }) => {
    const mint = byId.get(runner.id)
    return mint?.ok === true ? [{ runner, template, mint }] : []
  })
  noteMint(loop, desk, ready[0]?.runner, minted.length > 0)
  const refused = ready.filter(({ runner }) => byId.get(runner.id)?.ok !== true)
  await dispatch(loop, minted, desk)
  await forEachLimited(refused, WRITES_AT_ONCE, ({ runner }) => {
    const mint = byId.get(runner.id)
    return mint === undefined || mint.ok
      ? loop.endUnlaunched(runner, 'mint-unknown', 'The source gave no answer for this runner.')
      : loop.endUnlaunched(runner, mint.code, mint.reason)
  })
}

/** Ends those whose time is over or whose template is not what it was; a token must not be spent on them. */
async function keepMintable(
  loop: Loop,
  batch: readonly ReservedRunner[],
): Promise<readonly { runner: ReservedRunner; template: Template }[]> {
  const templates = new Map(loop.hub.templates().map((template) => [template.key, template]))
  const ready: { runner: ReservedRunner; template: Template }[] = []
  await forEachLimited(batch, WRITES_AT_ONCE, async (queued) => {
    const current = loop.view.runner(queued.id)
    if (current?.state !== 'reserved') return
    const template = templates.get(current.template)
    const over = unmintable(current, loop.now)
    if (over !== null) await loop.endUnlaunched(current, over.code, over.reason)
    else if (template === undefined)
      await loop.endUnlaunched(current, 'mint-refused', `Template ${current.template} is no longer there.`)
    else if (!isMadeFrom(current, template))
      await loop.endUnlaunched(
        current,
        'mint-refused',
        `Template ${template.key} has changed since its claim.`,
      )
    else ready.push({ runner: current, template })
  })
  return ready
}

/** Whether the slot that was claimed has the room, and the runner takes the jobs, that the template says by now. */
function isMadeFrom(
  { cpuMillis, memoryMib, labels }: ReservedRunner,
  { size, ...template }: Template,
): boolean {
  const hasRoom = cpuMillis === size.cpuMillis && memoryMib === size.memoryMib
  return hasRoom && labels.join() === template.labels.join()
}

/** Surely nothing happened: back in line. Perhaps something did: these runners' tokens are spent. */
async function mintFailed(
  loop: Loop,
  desk: SourceDesk,
  runners: readonly ReservedRunner[],
  thrown: unknown,
): Promise<void> {
  if (!(thrown instanceof SourceError)) throw thrown
  const { kind, message, retryAfterMs } = thrown
  const { clock, random } = loop.hub
  loop.hub.log.emit({
    name: 'source.mint-failed',
    source: desk.id,
    kind,
    reason: message,
    runners: runners.length,
  })
  if (kind === 'rate-limited' || kind === 'unavailable') {
    desk.mintQueue.unshift(...runners)
    const pauseMs = backoffMs(BACKOFF.mint, 1, random.unit())
    desk.mintAfterMs = clock.monotonicMs() + Math.max(pauseMs, retryAfterMs ?? 0)
    return
  }
  noteMint(loop, desk, runners[0], false)
  const code = kind === 'unknown-outcome' ? 'mint-unknown' : 'mint-refused'
  await forEachLimited(runners, WRITES_AT_ONCE, (runner) => loop.endUnlaunched(runner, code, message))
}

/**
 * Backs off from a source that grants jobs and mints no tokens: otherwise the same jobs would be asked for again and
 * again (inv. 20: no storm of retries). Runners of the last holder don't count: their tokens may well be spent.
 */
function noteMint(loop: Loop, desk: SourceDesk, first: ReservedRunner | undefined, gaveSome: boolean): void {
  if (gaveSome) desk.mintBackoff = undefined
  if (gaveSome || first === undefined || first.reservedAt < loop.startedAt) return
  const { clock, random, log } = loop.hub
  const before = desk.mintBackoff
  desk.mintBackoff = nextBackoff(before, clock.monotonicMs(), random.unit())
  const { failures } = desk.mintBackoff
  if (desk.mintBackoff !== before) log.emit({ name: 'source.mint-backing-off', source: desk.id, failures })
}
