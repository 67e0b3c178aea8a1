// Retention at ten ends a second: more end in a minute than one sweep removes.
import { expect, it } from 'vitest'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { sweep } from '../../core/flows/index.ts'
import { hostId, newRunnerId, type RunnerId, sourceId, templateKey } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { EventRecorder } from '../support/event-recorder.ts'
import { SimRandom } from '../sim/world/sim-clock.ts'

const HOST = hostId('one')
const START = 1_700_000_000_000
const MINUTE_MS = 60_000
const ENDS_PER_MINUTE = 600
const OVERDUE_MS = 40 * MINUTE_MS

it.fails('finished runners past their time do not add up', async () => {
  const store = createMemoryStore()
  await endAndSweep(store, { minutes: 10 })
  const { runners } = await store.readFleet()
  expect(runners.length).toBeLessThanOrEqual(ENDS_PER_MINUTE)
})

it.fails('a crash report of more than a day is removed, however many runners end', async () => {
  const store = createMemoryStore()
  const runner = runnerOf(new SimRandom(2), START)
  const writtenAt = START - 25 * 60 * MINUTE_MS
  await store.putCrashReport({ host: HOST, runner, part: 1, parts: 1, text: 'old', now: writtenAt })
  await endAndSweep(store, { minutes: 3 })
  expect(await store.getCrashReport(HOST, runner)).toBe(null)
})

/** Each minute as many runners pass their time as end in one, and one sweep runs. */
async function endAndSweep(store: FleetStore, { minutes }: { minutes: number }): Promise<void> {
  const random = new SimRandom(1)
  let now = START
  const lease = await store.takeLease({ holder: 'a', build: '1', now, ttlMs: 1e9, handOverAt: null })
  const clock = { now: () => now, monotonicMs: () => now - START, sleep: async () => {} }
  for (let minute = 0; minute < minutes; minute += 1) {
    for (let index = 0; index < ENDS_PER_MINUTE; index += 1)
      await putFinished(store, runnerOf(random, now - OVERDUE_MS), now - OVERDUE_MS)
    const notes = { mintWindows: {}, reportedUpTo: { sim: now }, lastWorkAt: 0, workLeft: true }
    await store.renewLease({ holder: 'a', fence: lease!.fence, now, ttlMs: 1e9, notes })
    await sweep({ store, clock, log: new EventRecorder() })
    now += MINUTE_MS
  }
}

function runnerOf(random: SimRandom, at: number): RunnerId {
  return newRunnerId(at, random.bytes(10))
}

async function putFinished(store: FleetStore, id: RunnerId, at: number): Promise<void> {
  await store.putRunner(
    {
      state: 'gone',
      id,
      host: HOST,
      template: templateKey('small'),
      source: sourceId('sim'),
      labels: ['small'],
      cpuMillis: 1,
      memoryMib: 1,
      reservation: null,
      reservedAt: at,
      stop: null,
      outcome: 'finished',
      code: 'exited',
      reason: 'It ended well.',
      exitCode: 0,
      startedAt: at,
      goneAt: at,
    },
    at,
  )
}
