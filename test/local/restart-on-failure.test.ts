import { describe, expect, it } from 'vitest'
import type { ControlLoopEnd } from '../../core/flows/index.ts'
import { restartOnFailure } from '../../local/restart-on-failure.ts'
import { SimClock } from '../sim/world/sim-clock.ts'
import { SILENT_LOG } from '../support/event-recorder.ts'

/** Runs a loop that does what `script` says, run by run; its last line goes on for ever. */
function start(script: readonly ('fails' | 'fails-draining' | 'works' | ControlLoopEnd)[]) {
  const clock = new SimClock()
  const drain = new AbortController()
  const stop = new AbortController()
  const startedAtMs: number[] = []
  let over: 'running' | 'ended' | { failed: unknown } = 'running'
  const runOnce = async (): Promise<ControlLoopEnd> => {
    const does = script[Math.min(startedAtMs.length, script.length - 1)]
    startedAtMs.push(clock.monotonicMs())
    if (does === 'works') {
      await clock.sleep(3_600_000, AbortSignal.any([drain.signal, stop.signal]))
      return 'stopped'
    }
    if (does === 'fails-draining') await clock.sleep(3_600_000, drain.signal)
    if (does === 'fails' || does === 'fails-draining') throw new Error('The table is broken.')
    return does ?? 'stopped'
  }
  const running = restartOnFailure(
    runOnce,
    { drain: drain.signal, stop: stop.signal },
    { clock, log: SILENT_LOG },
  )
  running.then(
    () => (over = 'ended'),
    (failed: unknown) => (over = { failed }),
  )
  return { clock, drain, stop, startedAtMs, over: () => over }
}

describe('a control loop that is kept running', () => {
  it('pauses longer after each failure, and gives up when nothing helps', async () => {
    const { clock, startedAtMs, over } = start(['fails'])
    await clock.runUntil(() => over() !== 'running', 10 * 60_000)
    expect(over()).toMatchObject({ failed: { code: 'hub-loop-failed' } })
    expect(startedAtMs).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000])
  })

  it('is started again at once when it lost its lease, and ends when it was drained', async () => {
    const { clock, drain, startedAtMs, over } = start(['lost', 'works'])
    await clock.run(10_000)
    expect(startedAtMs).toEqual([0, 0])
    drain.abort()
    await clock.runUntil(() => over() === 'ended', 1_000)
  })

  it('has not ended when it fails while it drains: it is started again to drain what is left', async () => {
    const { clock, drain, startedAtMs, over } = start(['fails-draining', 'fails', 'lost', 'stopped'])
    await clock.run(1_000)
    drain.abort()
    await clock.runUntil(() => over() === 'ended', 60_000)
    expect(startedAtMs).toEqual([0, 2_000, 4_000, 4_000])
  })

  it('is not started for a hub that is shut down before it began', async () => {
    const clock = new SimClock()
    const over = AbortSignal.abort()
    await restartOnFailure(
      () => Promise.reject(new Error('started')),
      { drain: over, stop: over },
      { clock, log: SILENT_LOG },
    )
    expect(clock.monotonicMs()).toBe(0)
  })
})
