import { describe, expect, it } from 'vitest'
import type { FleetStore } from '../../../core/ports/index.ts'
import { inOrder } from '../../contract/store-reading.ts'
import { type Bench, type Fault, interfere, useBenches } from './bench.ts'
import { CALLS, prepare } from './calls.ts'

const WRITES = ['PutItem', 'UpdateItem', 'DeleteItem']
const open = useBenches()

/** Every writing method is in the list: a new one can't be forgotten. */
const READS_AND_REST = [
  'readLease',
  'takeLease',
  'getHost',
  'getLiveness',
  'getRunner',
  'listLiveRunners',
  'readFleet',
  'readSourceStatuses',
  'readTemplates',
  'readTemplatesVersion',
  'getTemplateVersion',
  'listTemplateVersions',
  'readChanges',
  'getCrashReport',
  'removeExpired',
] satisfies (keyof FleetStore)[]

describe('a lost answer', () => {
  it('D1: is tried below with every writing method', async () => {
    const { store } = await open()
    const tried = [...CALLS.map(({ name }) => name), ...READS_AND_REST].toSorted()
    expect(tried).toEqual(Object.keys(store).toSorted())
  })

  it.each(CALLS.map((call) => [call.name, call] as const))(
    'D1: %s whose answer is lost is repeated by the SDK, and answers as if it had not been lost',
    async (_, call) => {
      const undisturbed = await open()
      const expected = await call.run(undisturbed.store, await prepare(undisturbed.store))
      const disturbed = await open()
      const host = await prepare(disturbed.store)
      const calls = interfere(disturbed.client, onceOn(WRITES, 'lose-answer'))
      expect(await call.run(disturbed.store, host)).toEqual(expected)
      expect(calls.filter((name) => WRITES.includes(name)).length).toBeGreaterThan(1)
      await expectSameFleet(disturbed, undisturbed, call.name)
    },
  )

  it.each(CALLS.map((call) => [call.name, call] as const))(
    'D1: %s whose answer is lost for good throws, and the caller that repeats it is answered alike',
    async (_, call) => {
      const undisturbed = await open()
      const expected = await call.run(undisturbed.store, await prepare(undisturbed.store))
      const disturbed = await open({ maxAttempts: 1 })
      const host = await prepare(disturbed.store)
      interfere(disturbed.client, onceOn(WRITES, 'lose-answer'))
      await expect(call.run(disturbed.store, host)).rejects.toMatchObject({ code: 'store-unavailable' })
      expect(await call.run(disturbed.store, host)).toEqual(expected)
      await expectSameFleet(disturbed, undisturbed, call.name)
    },
  )

  it('D1: of a take-over leaves the lease with its holder, under a higher fence', async () => {
    const { store, client } = await open()
    interfere(client, onceOn(WRITES, 'lose-answer'))
    const taken = await store.takeLease({
      holder: 'ann',
      build: 'b1',
      now: 0,
      ttlMs: 20_000,
      handOverAt: null,
    })
    expect(taken).toMatchObject({ holder: 'ann', fence: 2 })
    expect(await store.readLease()).toEqual(taken)
  })
})

describe('a call that fails before its effect', () => {
  it.each(CALLS.map((call) => [call.name, call] as const))('%s is done by the retry', async (_, call) => {
    const undisturbed = await open()
    const expected = await call.run(undisturbed.store, await prepare(undisturbed.store))
    const disturbed = await open()
    const host = await prepare(disturbed.store)
    interfere(disturbed.client, onceOn(WRITES, 'fail-before'))
    expect(await call.run(disturbed.store, host)).toEqual(expected)
    await expectSameFleet(disturbed, undisturbed, call.name)
  })
})

function onceOn(operations: readonly string[], fault: Fault): (operation: string) => Fault {
  let done = false
  return (operation) => {
    if (done || !operations.includes(operation)) return 'none'
    done = true
    return fault
  }
}

/** A repeat that sets what stands there already raises a revision once more, and that is all. */
const SETS_AGAIN: ReadonlySet<keyof FleetStore> = new Set(['setBackoff', 'replaceToken', 'mergeImages'])

async function expectSameFleet(disturbed: Bench, undisturbed: Bench, call: keyof FleetStore): Promise<void> {
  const fleets = [disturbed, undisturbed].map(async ({ store }) => inOrder(await store.readFleet()))
  const seen = (await Promise.all(fleets)).map((fleet) =>
    JSON.stringify(fleet, (name, value: unknown) => {
      if (name === 'revision' && SETS_AGAIN.has(call)) return 'any'
      return value instanceof Map ? [...value] : value
    }),
  )
  expect(seen[0]).toBe(seen[1])
  expect(await disturbed.store.readLease()).toEqual(await undisturbed.store.readLease())
}
