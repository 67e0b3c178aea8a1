import { describe, expect, it } from 'vitest'
import { tableDefinition } from '../../../adapters/dynamodb/index.ts'
import { encodedBytes } from '../../../adapters/dynamodb/sizes.ts'
import { claiming } from '../../../adapters/dynamodb/slots.ts'
import {
  CLAIMS_MAX,
  HOST_RUNNERS_MAX,
  type ImageState,
  Secret,
  hostId,
  templateKey,
} from '../../../core/model/index.ts'
import { type FleetStore } from '../../../core/ports/index.ts'
import {
  addHost,
  claim,
  claimsOf,
  EXITED,
  FENCE_1,
  facts,
  H1,
  H2,
  onlineHost,
  reserved,
  rid,
  SLOT,
  T0,
  tombstone,
} from '../../contract/store-fixtures.ts'
import { useBenches } from './bench.ts'

const open = useBenches()

describe('an item that can not be read', () => {
  it('L14: is named and stops nobody else; invariant 8: it is not passed over as absent', async () => {
    const { store, raw } = await open()
    await onlineHost(store)
    await addHost(store, H2)
    for (const n of [1, 2]) await store.putRunner(reserved(n), T0)
    await raw.put({ ...(await raw.get('HOST#h2', 'HOST')), slots: 'none' })
    await raw.put({ ...(await raw.get('HOST#h1', `RUNNER#${rid(1)}`)), state: 'hibernating' })
    await raw.put({ ...(await raw.get('HOST#h1', 'HOST')), pk: 'HOST#-', id: '-' })
    for (const fleet of [await store.readFleet(), await store.readChanges(T0)]) {
      expect(fleet.hosts.map(({ id }) => id)).toEqual([H1])
      expect(fleet.runners.map(({ id }) => id)).toEqual([rid(2)])
      expect(fleet.unreadable.toSorted((a, b) => (a.problem < b.problem ? -1 : 1))).toEqual([
        { host: null, runner: null, problem: expect.stringContaining('HOST#-/HOST') },
        {
          host: H1,
          runner: rid(1),
          problem: expect.stringContaining(`RUNNER#${rid(1)} is invalid: state`),
        },
        { host: H2, runner: null, problem: expect.stringContaining('HOST#h2/HOST is invalid: slots') },
      ])
    }
  })

  it('invariant 8: makes every question that it is an answer to fail, and no other', async () => {
    const { store, raw } = await open()
    await addHost(store)
    await store.putRunner(reserved(1), T0)
    await store.putRunner(reserved(2), T0)
    await store.putRunner(reserved(3, { host: H2 }), T0)
    await raw.put({ pk: 'HOST#h1', sk: `RUNNER#${rid(1)}`, state: 'reserved' })
    const corrupt = { code: 'store-item-corrupt' }
    await expect(store.getRunner(H1, rid(1))).rejects.toMatchObject(corrupt)
    expect(await store.listLiveRunners(H1)).toMatchObject({
      runners: [{ id: rid(2) }],
      unreadable: [{ host: H1, runner: rid(1) }],
    })
    // No tombstone takes its place, so its slot is never freed on the ground that nothing is known of it.
    await expect(store.putRunner(tombstone(1), T0)).rejects.toMatchObject(corrupt)
    expect(await store.getRunner(H1, rid(2))).toEqual(reserved(2))
    expect((await store.listLiveRunners(H2)).runners).toHaveLength(1)
  })

  it('says where and what, but no value', async () => {
    const { store, raw } = await open()
    await raw.put({ pk: 'HOST#h1', sk: 'LIVE', host: 'h1', epoch: 'canary-value', lastSeenAt: 1 })
    const problem = await store.getLiveness(H1).catch((thrown: Error) => thrown.message)
    expect(problem).toContain('HOST#h1/LIVE')
    expect(problem).toContain('epoch')
    expect(problem).not.toContain('canary-value')
  })

  it('O1: is not one of a kind, or with fields, that only a newer version knows', async () => {
    const { store, raw } = await open()
    await addHost(store)
    await raw.put({ ...(await raw.get('HOST#h1', 'HOST')), colour: 'red' })
    await raw.put({ pk: 'HOST#h1', sk: 'GAUGES', disk: 1 })
    await raw.put({ pk: 'OTHER#1', sk: 'X' })
    const fleet = await store.readFleet()
    expect(fleet.hosts).toEqual([await store.getHost(H1)])
    expect(fleet.unreadable).toEqual([])
  })
})

describe('the size of an item', () => {
  it('D7: of a full host is far below the limit of 400 KB', async () => {
    const { store, raw } = await open()
    await addHost(store)
    const longest = { ...SLOT, template: templateKey('t'.repeat(255)) }
    for (let n = 0; n < 2 * HOST_RUNNERS_MAX; n += 1) {
      await store.adoptSlot({ host: H1, runner: rid(n), slot: longest, now: T0 })
    }
    expect(encodedBytes(await raw.get('HOST#h1', 'HOST'))).toBeLessThan(380_000)
    const onceMore = { host: H1, slot: SLOT, now: T0 }
    await store.adoptSlot({ ...onceMore, runner: rid(2 * HOST_RUNNERS_MAX - 1) }).catch(() => null)
    await expect(store.adoptSlot({ ...onceMore, runner: rid(99_999) })).rejects.toMatchObject({
      code: 'store-item-too-large',
    })
  })

  it('D7: of a host with ordinary facts stays below 2 KB and 120 bytes a slot', async () => {
    const { store, raw } = await open()
    const host = await onlineHost(store)
    await claim(store, host, claimsOf(1, 2, 3, 4))
    expect(encodedBytes(await raw.get('HOST#h1', 'HOST'))).toBeLessThan(2_000 + 4 * 120)
  })

  it('D7: is refused before it is written where a text is far too long', async () => {
    const { store, raw } = await open()
    const host = await onlineHost(store)
    await store.putRunner(reserved(1), T0)
    const before = await raw.all()
    const long = 'x'.repeat(70_000)
    const at = { host: H1, now: T0 }
    const tooLarge: ((store: FleetStore) => Promise<unknown>)[] = [
      () => store.addHost({ id: H2, tags: [long], tokenHash: 'h', now: T0 }),
      () => store.beginSession({ ...at, connection: host.connection!, facts: facts({ install: long }) }),
      () => store.setAccepting({ ...at, epoch: host.epoch, accepting: false, reason: long }),
      () => store.putRunner(reserved(2, { labels: [long] }), T0),
      () => store.endRunner({ ...at, id: rid(1), ending: { ...EXITED, reason: long } }),
      () => store.mergeImages({ ...at, images: new Map([[long, { state: 'present' }]]) }),
      () => store.putCrashReport({ ...at, runner: rid(1), part: 65, parts: 66, text: 'x' }),
    ]
    for (const write of tooLarge) {
      await expect(write(store)).rejects.toMatchObject({ code: 'store-item-too-large' })
    }
    expect(await raw.all()).toEqual(before)
  })

  it('D7: of an ending holds a reason that fills a whole frame', async () => {
    const { store } = await open()
    await store.putRunner(reserved(1), T0)
    const ending = { ...EXITED, reason: 'x'.repeat(30_000) }
    expect(await store.endRunner({ host: H1, id: rid(1), now: T0, ending })).toMatchObject({ moved: true })
  })

  it('D7: of what a host said about its images is bounded: those told longest ago go first', async () => {
    const { store } = await open()
    for (let day = 0; day < 13; day += 1) {
      const images = new Map<string, ImageState>(
        Array.from({ length: 60 }, (_, n) => [`image-${day}-${n}`, { state: 'present' }]),
      )
      images.set('image-in-use', { state: 'present' })
      await store.mergeImages({ host: H1, images, now: T0 + day })
    }
    const images = (await store.readFleet()).images[0]!.images
    expect(images.size).toBeLessThan(600)
    expect(images.has('image-in-use')).toBe(true)
    for (let n = 0; n < 60; n += 1) expect(images.has(`image-12-${n}`)).toBe(true)
    expect(images.has('image-0-0')).toBe(false)
  })

  it('of a crash report is a fraction of its text', async () => {
    const { store, raw } = await open()
    const text = Array.from(
      { length: 200 },
      (_, n) => `2026-01-01T00:00:${n} step ${n} of the job: ok\n`,
    ).join('')
    await store.putCrashReport({ host: H1, runner: rid(1), part: 0, parts: 1, text, now: T0 })
    const [box] = await raw.all()
    expect(encodedBytes(box)).toBeLessThan(text.length / 4)
  })
})

describe('what is written', () => {
  it(`fits DynamoDB's bounds of an expression with ${CLAIMS_MAX} claims at once`, () => {
    const claims = claimsOf(...Array.from({ length: CLAIMS_MAX }, (_, n) => n))
    const host = { host: H1, fence: FENCE_1, epoch: 1 as never, now: T0 }
    const { set = '', condition } = claiming({ ...host, claims })
    for (const expression of [set, condition]) {
      expect(Buffer.byteLength(expression)).toBeLessThan(4_096 - 200)
      const operators = expression.match(/ AND |attribute_not_exists|[<>=+-]+/g) ?? []
      expect(operators.length).toBeLessThan(300)
    }
  })

  it('invariant 15: is named field by field, so that a secret that came along is not stored', async () => {
    const { store, raw } = await open()
    const canary = 'sf_ert_canary'
    const stray = { secretEnv: { TOKEN: canary }, token: new Secret(canary), env: canary }
    const host = await onlineHost(store, { facts: stray as never })
    await store.claimSlots({
      host: H1,
      fence: host.fence,
      epoch: host.epoch,
      claims: claimsOf(1).map(({ runner, slot }) => ({ runner, slot: { ...slot, ...stray } })),
      now: T0,
    })
    await store.putRunner({ ...reserved(1), ...stray }, T0)
    await store.endRunner({ host: H1, id: rid(1), ending: { ...EXITED, ...stray }, now: T0 })
    await store.putLiveness({
      host: H1,
      epoch: host.epoch,
      lastSeenAt: T0,
      expectedBy: T0,
      startsPerMinute: 1,
      ...stray,
    })
    await store.mergeImages({ host: H1, images: new Map([['x', { state: 'present', ...stray }]]), now: T0 })
    await store.takeLease({ holder: 'a', build: 'b', now: T0, ttlMs: 1, handOverAt: null })
    const notes = {
      mintWindows: { s: { startedAt: T0, calls: 1, ...stray } },
      reportedUpTo: {},
      lastWorkAt: T0,
      workLeft: false,
      ...stray,
    }
    await store.renewLease({ holder: 'a', fence: FENCE_1, now: T0, ttlMs: 1, notes })
    expect(JSON.stringify(await raw.all())).not.toContain(canary)
  })

  it('belongs to a table of one index, keys only, that holds nothing of value', () => {
    const table = tableDefinition('slipway')
    expect(table.BillingMode).toBe('PAY_PER_REQUEST')
    expect(table.GlobalSecondaryIndexes.map(({ Projection }) => Projection)).toEqual([
      { ProjectionType: 'KEYS_ONLY' },
    ])
  })

  it('is found again under any name that a host may have', async () => {
    const { store } = await open()
    const names = ['a', 'host', 'a-b', 'x'.repeat(63)].map(hostId)
    for (const id of names) await addHost(store, id)
    expect((await store.readFleet()).hosts.map(({ id }) => id).toSorted()).toEqual(names.toSorted())
  })
})
