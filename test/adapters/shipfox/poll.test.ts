import { describe, expect, it } from 'vitest'
import { type RunnerId, reservationId } from '../../../core/model/index.ts'
import {
  EMPTY_POLL,
  failureOf,
  json,
  makeRunnerId,
  makeRunners,
  makeTemplate,
  NEVER,
  pollOf,
  ready,
  RESERVATION,
  type Handler,
  type WireBody,
  serveApi,
  systemClock,
} from './support.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const inOneMinute = (): string => new Date(Date.now() + 60_000).toISOString()

/** A server that gives these answers to polls, one after another; the last one is repeated. */
async function serveAnswers(
  generation: 'v1' | 'v2',
  answers: unknown[],
  more: Parameters<typeof serveApi>[1] = {},
) {
  let next = 0
  const server = await serveApi(generation, {
    '/demand/poll': (_, response) =>
      json(response, 200, { ...EMPTY_POLL, ...(answers[Math.min(next++, answers.length - 1)] as object) }),
    ...more,
  })
  const polls = (): WireBody[] =>
    server.seen.filter(({ path }) => path.endsWith('/demand/poll')).map(({ body }) => body)
  return { server, polls }
}

describe('what a poll asks', () => {
  it.each(['v1', 'v2'] as const)('is exactly what %s documents', async (generation) => {
    const { server, polls } = await serveAnswers(generation, [{}])
    const source = await ready(server)
    const capacity = pollOf({ small: 3 }).capacity.map((row) =>
      Object.assign({}, row, { starting: 1, running: 4 }),
    )
    await source.poll({ capacity, maxReservations: 2, waitSeconds: 1 }, NEVER)
    expect(polls()).toEqual([
      {
        wait_seconds: 1,
        max_reservations: 2,
        ...(generation === 'v2' ? { reservation_ttl_seconds: 60 } : {}),
        templates: [
          { template_key: 'small', labels: ['docker', 'small'], available_slots: 3, starting: 1, running: 4 },
        ],
      },
    ])
  })

  it('stays within the limits of the wire and of the owner', async () => {
    const { server, polls } = await serveAnswers('v2', [{}])
    const source = await ready(server, { maxReservations: 5000, pollWaitSecondsMax: 7 })
    await source.poll(pollOf({ a: -3, b: 1e9 }, { maxReservations: 99_999, waitSeconds: 3600 }), NEVER)
    expect(polls()[0]).toMatchObject({
      wait_seconds: 7,
      max_reservations: 1000,
      templates: [{ available_slots: 0 }, { available_slots: 100_000 }],
    })
    const few = await ready(server, { maxReservations: 20 })
    await few.poll(pollOf({ b: 1e9 }, { maxReservations: 99_999 }), NEVER)
    expect(polls()[1]?.max_reservations).toBe(20)
  })

  it.each([
    ['v1', 101],
    ['v2', 1001],
  ] as const)(
    '%s is never told of %i templates: the error says so, and nothing is sent',
    async (generation, count) => {
      const { server, polls } = await serveAnswers(generation, [{}])
      const source = await ready(server)
      const many = Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, 1]))
      const failure = await failureOf(source.poll(pollOf(many), NEVER))
      expect(failure.kind).toBe('protocol')
      expect(failure.message).toContain(String(count))
      expect(polls()).toHaveLength(0)
    },
  )
})

describe('what a poll answers', () => {
  it('is read into our own words', async () => {
    const runner = makeRunnerId()
    const { server } = await serveAnswers('v2', [
      {
        surprise: { is: 'ignored' },
        stats: [
          {
            labels: ['small', 'Docker'],
            queued: 5,
            reserved: 2,
            oldest_queued_at: '2026-07-01T12:00:00.5Z',
            x: 1,
          },
          { labels: ['big'], queued: 1, reserved: 0, oldest_queued_at: null },
        ],
        reservations: [{ reservation_id: 'r-1', labels: ['docker'], count: 2, expires_at: inOneMinute() }],
        terminate_provider_runner_ids: [runner],
        newly_reserved_count: 2,
      },
    ])
    const source = await ready(server)
    const before = Date.now()
    const answer = await source.poll(pollOf({ small: 3 }), NEVER)
    expect(answer).toEqual({
      waiting: [
        {
          labels: ['docker', 'small'],
          queued: 5,
          reserved: 2,
          oldestQueuedAt: Date.parse('2026-07-01T12:00:00.5Z'),
        },
        { labels: ['big'], queued: 1, reserved: 0, oldestQueuedAt: null },
      ],
      reservations: [{ id: 'r-1', labels: ['docker'], count: 2, expiresAt: expect.any(Number) }],
      cancel: [runner],
    })
    const { expiresAt } = answer.reservations[0]!
    expect(expiresAt).toBeGreaterThan(before + 50_000)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000)
  })

  it('adds up the rows that an installation token gets per workspace', async () => {
    const row = (queued: number, oldest: string) => ({
      labels: ['a'],
      queued,
      reserved: 1,
      oldest_queued_at: oldest,
    })
    const { server } = await serveAnswers('v2', [
      { stats: [row(2, '2026-07-01T12:00:05Z'), row(3, '2026-07-01T12:00:00Z')] },
    ])
    const source = await ready(server)
    expect((await source.poll(pollOf({ a: 1 }), NEVER)).waiting).toEqual([
      { labels: ['a'], queued: 5, reserved: 2, oldestQueuedAt: Date.parse('2026-07-01T12:00:00Z') },
    ])
  })

  it('leaves cancellations of runners that are not ours alone, and tells of each once', async () => {
    const runner = makeRunnerId()
    const { server } = await serveAnswers('v2', [
      { terminate_provider_runner_ids: ['someone-elses', runner, 'sf_pt_secretsecret', ''] },
    ])
    const log = new EventRecorder()
    const source = await ready(server, { log })
    for (let poll = 0; poll < 3; poll += 1)
      expect((await source.poll(pollOf({ a: 1 }), NEVER)).cancel).toEqual([runner])
    expect(log.events('source.cancel.ignored').map(({ id }) => id)).toEqual(['someone-elses', '[secret]', ''])
  })

  it.each([-600_000, 600_000])(
    'R5: a clock %i ms away from the server changes no lifetime',
    async (skewMs) => {
      const { server } = await serveAnswers('v1', [
        { reservations: [{ reservation_id: 'r', labels: ['a'], count: 1, expires_at: inOneMinute() }] },
      ])
      const clock = { ...systemClock, now: () => Date.now() + skewMs }
      const source = await ready(server, { clock })
      const { reservations } = await source.poll(pollOf({ a: 1 }), NEVER)
      const leftMs = reservations[0]!.expiresAt - clock.now()
      expect(leftMs).toBeGreaterThan(50_000)
      expect(leftMs).toBeLessThanOrEqual(60_000)
    },
  )

  it('R5: a clock that jumps during the poll neither prolongs a reservation', async () => {
    let skewMs = 0
    const { server } = await serveAnswers('v1', [], {
      '/demand/poll': (_, response) => {
        skewMs = -3_600_000
        json(response, 200, {
          ...EMPTY_POLL,
          reservations: [{ reservation_id: 'r', labels: ['a'], count: 1, expires_at: inOneMinute() }],
        })
      },
    })
    const clock = { ...systemClock, now: () => Date.now() + skewMs }
    const source = await ready(server, { clock })
    const { reservations } = await source.poll(pollOf({ a: 1 }), NEVER)
    expect(reservations[0]!.expiresAt - clock.now()).toBeLessThanOrEqual(60_000)
  })

  it('R5: the time that the poll was held counts against its grants', async () => {
    let heldMs = 0
    const { server } = await serveAnswers('v1', [], {
      '/demand/poll': (_, response) => {
        heldMs = 20_000
        json(response, 200, {
          ...EMPTY_POLL,
          reservations: [{ reservation_id: 'r', labels: ['a'], count: 1, expires_at: inOneMinute() }],
        })
      },
    })
    const clock = { ...systemClock, monotonicMs: () => performance.now() + heldMs }
    const source = await ready(server, { clock })
    const { reservations } = await source.poll(pollOf({ a: 1 }), NEVER)
    expect(reservations[0]!.expiresAt - clock.now()).toBeLessThanOrEqual(40_000)
  })

  it('a reservation that is over before it arrives is told in the log', async () => {
    const { server } = await serveAnswers('v2', [
      {
        reservations: [
          { reservation_id: 'r', labels: ['a'], count: 1, expires_at: new Date().toISOString() },
        ],
      },
    ])
    const log = new EventRecorder()
    const source = await ready(server, { log })
    await source.poll(pollOf({ a: 1 }), NEVER)
    expect(log.names).toContain('source.reservation.dead-on-arrival')
  })
})

describe('the double count of v1, poll by poll', () => {
  const mintAll: Record<string, Handler> = {
    '/runner-registration-tokens/batch': ({ body }, response) =>
      json(response, 200, {
        tokens: body.runner_instances.map(({ provider_runner_id: id }) => ({
          provider_runner_id: id,
          registration_token: `sf_ert_${id}`,
        })),
      }),
    '/report': ({ body }, response) =>
      json(response, 200, {
        accepted: body.events.length,
        reservations_released: body.events.filter(({ state }) => state === 'failed').length,
      }),
  }
  const grant = {
    reservations: [
      { reservation_id: RESERVATION, labels: ['docker', 'small'], count: 6, expires_at: inOneMinute() },
    ],
  }
  const template = makeTemplate('small')

  const endOf = (id: RunnerId, state: 'failed' | 'stopped') => {
    const { key, labels } = template
    return { id, template: key, labels, reservation: RESERVATION, state, reason: null, at: Date.now() }
  }

  async function sixMinted(changes: Parameters<typeof ready>[1] = {}, generation: 'v1' | 'v2' = 'v1') {
    const { server, polls } = await serveAnswers(generation, [grant, {}], mintAll)
    const source = await ready(server, changes)
    await source.poll(pollOf({ small: 10 }), NEVER)
    const runners = makeRunners(6, template)
    if (generation === 'v1') await source.mint({ reservation: RESERVATION, runners }, NEVER)
    return { source, runners, slots: () => polls().map(({ templates }) => templates[0]?.available_slots) }
  }

  it('adds runners back once they are minted, not before', async () => {
    const { server, polls } = await serveAnswers('v1', [grant, {}], mintAll)
    const source = await ready(server)
    await source.poll(pollOf({ small: 10 }), NEVER)
    await source.poll(pollOf({ small: 4 }), NEVER)
    await source.mint({ reservation: RESERVATION, runners: makeRunners(6, template) }, NEVER)
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(polls().map(({ templates }) => templates[0]?.available_slots)).toEqual([10, 4, 10])
    expect(polls().at(-1)?.max_reservations).toBe(4)
  })

  it('adds nothing back for a poll that outlives the units, nor after their end', async () => {
    let skewMs = 0
    const clock = { ...systemClock, monotonicMs: () => performance.now() + skewMs }
    const { source, slots } = await sixMinted({ clock })
    await source.poll(pollOf({ small: 4 }, { waitSeconds: 30 }), NEVER)
    skewMs = 30_000
    await source.poll(pollOf({ small: 4 }, { waitSeconds: 30 }), NEVER)
    skewMs = 61_000
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(slots()).toEqual([10, 10, 4, 4])
  })

  it('takes runners out whose unit the server gives back, and keeps those whose unit it keeps', async () => {
    const { source, runners, slots } = await sixMinted()
    await source.report([endOf(runners[0]!.id, 'failed'), endOf(runners[1]!.id, 'failed')], NEVER)
    await source.report([endOf(runners[2]!.id, 'stopped')], NEVER)
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(slots()).toEqual([10, 8])
  })

  it('takes runners out when the answer to their report is lost', async () => {
    const { server, polls } = await serveAnswers('v1', [grant, {}], {
      ...mintAll,
      '/report': ({ socket }) => void socket.destroy(),
    })
    const source = await ready(server)
    await source.poll(pollOf({ small: 10 }), NEVER)
    const runners = makeRunners(2, template)
    await source.mint({ reservation: RESERVATION, runners }, NEVER)
    await failureOf(source.report([endOf(runners[0]!.id, 'failed')], NEVER))
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(polls().at(-1)?.templates[0]?.available_slots).toBe(5)
  })

  it('takes runners out when their report was sent twice: the first one may have given the unit back', async () => {
    let reports = 0
    const { server, polls } = await serveAnswers('v1', [grant, {}], {
      ...mintAll,
      '/report': ({ socket }, response) => {
        reports += 1
        if (reports === 1) socket.resetAndDestroy()
        else json(response, 200, { accepted: 1, reservations_released: 0 })
      },
    })
    const source = await ready(server)
    await source.poll(pollOf({ small: 10 }), NEVER)
    const runners = makeRunners(2, template)
    await source.mint({ reservation: RESERVATION, runners }, NEVER)
    await source.report([endOf(runners[0]!.id, 'failed')], NEVER)
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(reports).toBe(2)
    expect(polls().at(-1)?.templates[0]?.available_slots).toBe(5)
  })

  it('knows nothing of another process, and then asks for less', async () => {
    const { server, polls } = await serveAnswers('v1', [{}], mintAll)
    const source = await ready(server)
    await source.mint({ reservation: reservationId(RESERVATION), runners: makeRunners(6, template) }, NEVER)
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(polls()[0]?.templates[0]?.available_slots).toBe(4)
  })

  it('is none of v2', async () => {
    const { source, slots } = await sixMinted({}, 'v2')
    await source.poll(pollOf({ small: 4 }), NEVER)
    expect(slots()).toEqual([10, 4])
  })
})
