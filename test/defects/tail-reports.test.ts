// Reports that take longer than a call may: the first batches are sent again each time.
import { expect, it } from 'vitest'
import { templateKey } from '../../core/model/index.ts'
import { json, makeRunnerId, ready, RESERVATION, serveApi } from '../adapters/shipfox/support.ts'

it.fails('every one of 5,000 runners is told of, though no call has the time for all of them', async () => {
  const heard = new Set<string>()
  let call = new AbortController()
  let batches = 0
  const server = await serveApi('v1', {
    '/report': ({ body }, response) => {
      batches += 1
      if (batches > 2) return call.abort()
      for (const event of body.events) heard.add(event.provider_runner_id)
      json(response, 200, { accepted: body.events.length, reservations_released: 0 })
    },
  })
  const source = await ready(server)
  const reports = Array.from({ length: 5_000 }, () => ({
    id: makeRunnerId(),
    template: templateKey('small'),
    labels: ['docker'],
    reservation: RESERVATION,
    state: 'running' as const,
    reason: null,
    at: Date.now(),
  }))
  for (let round = 0; round < 10; round += 1) {
    call = new AbortController()
    batches = 0
    await source.report(reports, call.signal).catch(() => {})
  }
  expect(heard.size).toBe(5_000)
})
