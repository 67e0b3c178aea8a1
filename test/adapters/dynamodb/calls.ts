import { epoch, type Host, type ImageState, sourceId, type SourceStatus } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import {
  addHost,
  CANCEL,
  claim,
  claimsOf,
  EXITED,
  FENCE_2,
  facts,
  H1,
  H2,
  LINUX,
  onlineHost,
  reserved,
  rid,
  SECOND,
  SLOT,
  T0,
} from '../../contract/store-fixtures.ts'

/** Every writing method of the store, once, on a fleet that `prepare` has made. */
export interface Call {
  readonly name: keyof FleetStore
  run(store: FleetStore, host: Host): Promise<unknown>
}

const NOTES = {
  mintWindows: { shipfox: { startedAt: T0, calls: 3 } },
  reportedUpTo: {},
  lastWorkAt: T0,
  workLeft: true,
}
const IMAGES = new Map<string, ImageState>([['x', { state: 'present' }]])
const key = { host: H1, now: T0 + SECOND }
const connection = 'fresh' as NonNullable<Host['connection']>

const STATUS: SourceStatus = {
  source: sourceId('shipfox'),
  checkedAt: T0,
  state: { kind: 'ok' },
  waiting: [],
  refusals: [],
}

export const CALLS: readonly Call[] = [
  {
    name: 'renewLease',
    run: (store) => store.renewLease({ ...mine(1), now: T0, ttlMs: SECOND, notes: NOTES }),
  },
  { name: 'releaseLease', run: (store) => store.releaseLease({ ...mine(1), now: T0, notes: NOTES }) },
  {
    name: 'putTemplateVersion',
    run: (store) =>
      store.putTemplateVersion({ version: 1, storedAt: T0, storedBy: 'ann', text: 'a: 1', templates: [] }, 0),
  },
  { name: 'putSourceStatus', run: (store) => store.putSourceStatus(STATUS) },
  { name: 'requestYield', run: (store) => store.requestYield({ holder: 'ann', build: 'b2' }) },
  { name: 'addHost', run: (store) => store.addHost({ id: H2, tags: ['a'], tokenHash: 'h', now: T0 }) },
  { name: 'replaceToken', run: (store) => store.replaceToken({ ...key, tokenHash: 'other' }) },
  { name: 'raiseFence', run: (store) => store.raiseFence(H1, FENCE_2) },
  { name: 'claimSlots', run: (store, host) => claim(store, host, claimsOf(7, 8)) },
  { name: 'adoptSlot', run: (store) => store.adoptSlot({ ...key, runner: rid(9), slot: SLOT }) },
  { name: 'freeSlot', run: (store) => store.freeSlot({ ...key, runner: rid(1) }) },
  {
    name: 'setBackoff',
    run: (store) => store.setBackoff({ ...key, template: LINUX, backoff: { failures: 2, until: T0 } }),
  },
  { name: 'beginSession', run: (store) => store.beginSession({ ...key, connection, facts: facts() }) },
  { name: 'openHost', run: (store) => store.openHost({ ...key, host: H3, epoch: epoch(T0 / SECOND + 1) }) },
  { name: 'endSession', run: (store, host) => store.endSession({ ...key, connection: host.connection! }) },
  {
    name: 'setAccepting',
    run: (store, host) => store.setAccepting({ ...key, epoch: host.epoch, accepting: false, reason: 'full' }),
  },
  { name: 'declareDead', run: (store) => store.declareDead({ ...key, host: H4, revision: T0 + 5 }) },
  { name: 'removeHost', run: (store) => store.removeHost(H1) },
  {
    name: 'putLiveness',
    run: (store) =>
      store.putLiveness({
        host: H1,
        epoch: epoch(2),
        lastSeenAt: T0 + 9,
        expectedBy: T0 + 99,
        startsPerMinute: 3,
      }),
  },
  { name: 'mergeImages', run: (store) => store.mergeImages({ ...key, images: IMAGES }) },
  { name: 'putRunner', run: (store) => store.putRunner(reserved(5), T0) },
  { name: 'dispatchRunner', run: (store) => store.dispatchRunner({ ...key, id: rid(1), epoch: epoch(1) }) },
  { name: 'startRunner', run: (store) => store.startRunner({ ...key, id: rid(2), startedAt: T0 }) },
  { name: 'endRunner', run: (store) => store.endRunner({ ...key, id: rid(3), ending: EXITED }) },
  { name: 'confirmRunner', run: (store) => store.confirmRunner({ ...key, id: rid(2), epoch: epoch(2) }) },
  { name: 'forgetRunner', run: (store) => store.forgetRunner({ ...key, id: rid(4) }) },
  { name: 'orderStop', run: (store) => store.orderStop({ ...key, id: rid(1), stop: CANCEL }) },
  {
    name: 'putCrashReport',
    run: (store) => store.putCrashReport({ ...key, runner: rid(3), part: 0, parts: 1, text: 'log' }),
  },
]

const H3 = 'h3' as Host['id']
const H4 = 'h4' as Host['id']

/** H1 online with a slot, H3 syncing, H4 offline, runners 1 reserved, 2 dispatched, 3 running. */
export async function prepare(store: FleetStore): Promise<Host> {
  await store.takeLease({ holder: 'ann', build: 'b1', now: T0, ttlMs: 20 * SECOND, handOverAt: null })
  const host = await onlineHost(store)
  await addHost(store, H3)
  await store.beginSession({ host: H3, connection: 'c3' as typeof connection, facts: facts(), now: T0 })
  const gone = await onlineHost(store, { id: H4 })
  await store.setAccepting({ host: H4, epoch: gone.epoch, accepting: false, reason: 'x', now: T0 })
  await store.endSession({ host: H4, connection: gone.connection!, now: T0 })
  await claim(store, host, claimsOf(1))
  for (const n of [1, 2, 3]) await store.putRunner(reserved(n), T0)
  for (const n of [2, 3]) await store.dispatchRunner({ host: H1, id: rid(n), epoch: epoch(1), now: T0 })
  await store.startRunner({ host: H1, id: rid(3), startedAt: T0, now: T0 })
  return host
}

function mine(fence: number) {
  return { holder: 'ann', fence: fence as Host['fence'] }
}
