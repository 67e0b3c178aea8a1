import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SourceStatus, sourceId } from '../../core/model/index.ts'
import { type Open, type OpenStore, T0 } from './store-fixtures.ts'

function status(source: string, over: Partial<SourceStatus> = {}): SourceStatus {
  return {
    source: sourceId(source),
    checkedAt: T0,
    state: { kind: 'ok' },
    waiting: [],
    refusals: [],
    ...over,
  }
}

const FULL = status('shipfox', {
  state: { kind: 'failing', code: 'unavailable', message: 'It is down.' },
  waiting: [
    { labels: ['linux', 'small'], queued: 3, reserved: 1, oldestQueuedAt: T0 - 1_000 },
    { labels: ['gpu'], queued: 1, reserved: 0, oldestQueuedAt: null },
  ],
  refusals: [{ labels: ['gpu'], count: 1, text: 'no template offers these labels' }],
})

export function describeStatuses(open: Open): void {
  describe('source statuses', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('are none at first, and one per source, sorted by it', async () => {
      const { store } = opened
      expect(await store.readSourceStatuses()).toEqual([])
      await store.putSourceStatus(status('zeta'))
      await store.putSourceStatus(FULL)
      expect(await store.readSourceStatuses()).toEqual([FULL, status('zeta')])
    })

    it('replace what was known of the source', async () => {
      const { store } = opened
      const missing = status('shipfox', { state: { kind: 'secret-missing', parameter: '/slipway/x/token' } })
      await store.putSourceStatus(FULL)
      await store.putSourceStatus(missing)
      expect(await store.readSourceStatuses()).toEqual([missing])
    })

    it('are no part of the fleet', async () => {
      const { store } = opened
      await store.putSourceStatus(FULL)
      expect(await store.readFleet()).toEqual({
        hosts: [],
        liveness: [],
        images: [],
        runners: [],
        unreadable: [],
      })
    })
  })
}
