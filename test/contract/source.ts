import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  canonicalLabels,
  newRunnerId,
  type PollRequest,
  type Reservation,
  reservationId,
  type RunnerId,
  type RunnerReport,
  type SourceLimits,
} from '../../core/model/index.ts'
import {
  type DemandSource,
  type Mint,
  type MintRequest,
  SourceError,
  type SourceFailureKind,
} from '../../core/ports/index.ts'
import { template } from '../support/template.ts'

export type GoodMint = Extract<Mint, { ok: true }>

/** A job in the hands of a runner. */
export interface JobAtWork {
  /** Whoever asked for the job cancels it. */
  cancel(): Promise<void>
  /** The job ends, and its runner with it. */
  finish(): Promise<void>
}

/** A source with a world of jobs behind it that the suite can move. Fresh for each test. */
export interface SourceBench {
  readonly source: DemandSource
  /** Makes jobs wait, all at one instant. */
  queue(labels: readonly string[], count: number): Promise<void>
  /** What the program in the container does with its environment: registers, and takes a job if one is there. */
  takeJob(mint: GoodMint): Promise<JobAtWork | null>
  /** The source handles the next call of this method, but its answer never arrives. */
  loseNextAnswer(method: 'poll' | 'mint' | 'report' | 'reconcile'): void
  /** The source refuses our token from now on. */
  revokeToken(): Promise<void>
  /** Nothing listens at the source any more. */
  shutDown(): Promise<void>
  close(): Promise<void>
}

const NEVER = new AbortController().signal
const LABELS = canonicalLabels(['docker', 'linux', 'x64'])
const JOB = ['docker', 'linux']

/** What every demand source must do. `open` starts a world of its own. */
export function describeSource(name: string, open: () => Promise<SourceBench>): void {
  describe(`the demand source ${name}`, () => {
    let bench: SourceBench
    let limits: SourceLimits

    beforeEach(async () => {
      bench = await open()
      limits = await bench.source.authenticate(NEVER)
    })
    afterEach(async () => bench.close())

    const poll = (available: number, changes: Partial<PollRequest> = {}) =>
      bench.source.poll({ ...ask(available), ...changes }, NEVER)

    /** Grants, mints and starts runners; as many as jobs wait. */
    async function launch(count: number): Promise<{ reservation: Reservation; mints: readonly GoodMint[] }> {
      await bench.queue(JOB, count)
      const [reservation] = (await poll(count)).reservations
      if (reservation === undefined) throw new Error('The source granted nothing.')
      const mints = await bench.source.mint({ reservation: reservation.id, runners: runners(count) }, NEVER)
      return { reservation, mints: good(mints) }
    }

    async function observe(id: RunnerId) {
      const observed = await bench.source.reconcile([id], NEVER)
      return observed.find((runner) => runner.id === id) ?? null
    }

    describe('authenticate', () => {
      it('states limits that make sense each time', async () => {
        expect(await bench.source.authenticate(NEVER)).toEqual(limits)
        expect(limits.templatesMax).toBeGreaterThan(0)
        expect(limits.mintBatchMax).toBeGreaterThan(0)
        expect(limits.reservationsMax).toBeGreaterThan(0)
        expect(limits.reservationTtlMs).toBeGreaterThan(0)
        expect(limits.pollIntervalMaxMs).toBeGreaterThanOrEqual(limits.pollIntervalMs)
      })
    })

    describe('poll', () => {
      it('answers empty lists while nothing waits', async () => {
        expect(await poll(5)).toEqual({ reservations: [], waiting: [], cancel: [] })
      })

      it('grants what waits, for labels that the template has, with an end in the near future', async () => {
        await bench.queue(JOB, 3)
        const before = Date.now()
        const { reservations } = await poll(10)
        expect(units(reservations)).toBe(3)
        for (const { labels, expiresAt } of reservations) {
          expect(labels).toEqual(JOB)
          expect(expiresAt).toBeGreaterThan(before)
          expect(expiresAt).toBeLessThanOrEqual(Date.now() + limits.reservationTtlMs)
        }
      })

      it('grants no unit twice', async () => {
        await bench.queue(JOB, 3)
        expect(units((await poll(10)).reservations)).toBe(3)
        expect(units((await poll(10)).reservations)).toBe(0)
      })

      it.each([
        ['the slots', 2, 100],
        ['what was asked for', 100, 2],
        ['nothing', 0, 100],
        ['nothing at all', 100, 0],
      ])('never grants more than %s', async (_, available, maxReservations) => {
        await bench.queue(JOB, 5)
        const { reservations } = await poll(available, { maxReservations })
        expect(units(reservations)).toBe(Math.min(available, maxReservations))
      })

      it('tells of jobs that wait beyond what it granted', async () => {
        await bench.queue(JOB, 5)
        await poll(2)
        const { waiting } = await poll(0)
        expect(waiting).toMatchObject([{ labels: JOB, queued: 5, reserved: 2 }])
        expect(waiting[0]?.oldestQueuedAt).toBeLessThanOrEqual(Date.now())
      })

      it('grants nothing that no template has the labels for', async () => {
        await bench.queue(['windows'], 1)
        expect((await poll(5)).reservations).toEqual([])
      })

      it('held open, still finds a job that comes, and lets other calls pass meanwhile', async () => {
        const events: string[] = []
        const held = poll(5, { waitSeconds: 10 }).then((answer) => {
          events.push('poll')
          return answer
        })
        await bench.source.report([report(runnerId(), 'starting', null)], NEVER)
        events.push('report')
        await bench.queue(JOB, 1)
        expect(units((await held).reservations)).toBe(1)
        expect(events).toEqual(['report', 'poll'])
      })

      it('held open, ends by itself', async () => {
        await expect(poll(5, { waitSeconds: 1 })).resolves.toMatchObject({ reservations: [] })
      })

      it('R1: throws when the answer is lost, and grants no unit twice afterwards', async () => {
        await bench.queue(JOB, 2)
        bench.loseNextAnswer('poll')
        expect(await kindOf(poll(5))).toBe('unknown-outcome')
        await bench.queue(JOB, 1)
        expect(units((await poll(5)).reservations)).toBeLessThanOrEqual(3)
      })
    })

    describe('mint', () => {
      it('gives every runner its own secret, and what it needs to know', async () => {
        await bench.queue(JOB, 5)
        const [reservation] = (await poll(5)).reservations
        const wanted = runners(5)
        const mints = await bench.source.mint({ reservation: reservation!.id, runners: wanted }, NEVER)
        expect(new Set(mints.map(({ runner }) => runner))).toEqual(new Set(wanted.map(({ id }) => id)))
        expect(good(mints)).toHaveLength(5)
        const secrets = good(mints).flatMap(({ secretEnv }) => Object.values(secretEnv))
        expect(new Set(secrets.map((secret) => secret.reveal())).size).toBe(secrets.length)
        for (const mint of good(mints)) {
          expect(Object.values(mint.secretEnv).length).toBeGreaterThan(0)
          for (const secret of Object.values(mint.secretEnv))
            expect(JSON.stringify(mint)).not.toContain(secret.reveal())
        }
      })

      it('in several small calls gives as many as one large one, and no secret twice', async () => {
        await bench.queue(JOB, 6)
        const [reservation] = (await poll(6)).reservations
        const batches = [runners(2), runners(2), runners(2)]
        const mints = await Promise.all(
          batches.map((batch) => bench.source.mint({ reservation: reservation!.id, runners: batch }, NEVER)),
        )
        expect(new Set(secretsOf(mints.flat())).size).toBe(6)
      })

      it('beyond the reservation answers for every runner, and never for more units than there are', async () => {
        await bench.queue(JOB, 2)
        const [reservation] = (await poll(2)).reservations
        const mints = await bench.source.mint({ reservation: reservation!.id, runners: runners(5) }, NEVER)
        expect(mints).toHaveLength(5)
        expect(good(mints)).toHaveLength(2)
      })

      it('for a reservation that is none says so for every runner', async () => {
        const reservation = reservationId('0198f000-0000-4000-8000-00000000dead')
        const mints = await bench.source.mint({ reservation, runners: runners(3) }, NEVER)
        expect(mints.map((mint) => mint.ok || mint.code)).toEqual(Array(3).fill('reservation-expired'))
      })

      it('for nobody does nothing', async () => {
        const reservation = reservationId('0198f000-0000-4000-8000-00000000dead')
        expect(await bench.source.mint({ reservation, runners: [] }, NEVER)).toEqual([])
      })

      it('without a reservation gives warm runners, or refuses every one', async () => {
        const mints = await bench.source.mint({ reservation: null, runners: runners(2) }, NEVER)
        expect(mints).toHaveLength(2)
        expect(good(mints)).toHaveLength(limits.warm ? 2 : 0)
      })

      it('R1, R4: a lost answer leaves runners unknown; asking again hands out no more than there is', async () => {
        await bench.queue(JOB, 4)
        const [reservation] = (await poll(4)).reservations
        const request: MintRequest = { reservation: reservation!.id, runners: runners(3) }
        bench.loseNextAnswer('mint')
        const lost = await bench.source.mint(request, NEVER)
        expect(lost.map((mint) => mint.ok || mint.code)).toEqual(Array(3).fill('mint-unknown'))
        const again = await bench.source.mint(request, NEVER)
        expect(again).toHaveLength(3)
        expect(good(again).length).toBeLessThanOrEqual(1)
      })
    })

    describe('the life of a runner', () => {
      it('a minted runner takes one job; the source sees it, and its end', async () => {
        const { reservation, mints } = await launch(1)
        const [mint] = mints
        await bench.source.report([report(mint!.runner, 'starting', reservation)], NEVER)
        expect(await observe(mint!.runner)).toMatchObject({
          registered: false,
          jobBound: false,
          ended: false,
        })
        await bench.source.report([report(mint!.runner, 'running', reservation)], NEVER)
        const job = await bench.takeJob(mint!)
        expect(job).not.toBeNull()
        expect(await observe(mint!.runner)).toEqual({
          id: mint!.runner,
          registered: true,
          jobBound: true,
          cancellationRequested: false,
          ended: false,
        })
        await job!.finish()
        await bench.source.report([report(mint!.runner, 'stopped', reservation)], NEVER)
        expect(await observe(mint!.runner)).toMatchObject({ ended: true })
      })

      it('every unit of a burst ends in a runner of its own with a job of its own', async () => {
        const { mints } = await launch(12)
        const jobs = await Promise.all(mints.map((mint) => bench.takeJob(mint)))
        expect(jobs.filter((job) => job !== null)).toHaveLength(12)
        expect((await poll(20)).reservations).toEqual([])
      })

      it('X1: a token that was used is worth nothing', async () => {
        const { mints } = await launch(2)
        expect(await bench.takeJob(mints[0]!)).not.toBeNull()
        expect(await bench.takeJob(mints[0]!).catch(() => null)).toBeNull()
      })

      it('a canceled job is told with every poll and by reconcile, until the end is reported', async () => {
        const { reservation, mints } = await launch(2)
        const [canceled, other] = mints
        const jobs = await Promise.all(mints.map((mint) => bench.takeJob(mint)))
        await bench.source.report(
          mints.map((mint) => report(mint.runner, 'running', reservation)),
          NEVER,
        )
        await jobs[0]!.cancel()
        expect((await poll(5)).cancel).toEqual([canceled!.runner])
        expect((await poll(5)).cancel).toEqual([canceled!.runner])
        expect(await observe(canceled!.runner)).toMatchObject({ jobBound: true, cancellationRequested: true })
        expect(await observe(other!.runner)).toMatchObject({ cancellationRequested: false, ended: false })
        await bench.source.report([report(canceled!.runner, 'terminated', reservation)], NEVER)
        expect((await poll(5)).cancel).toEqual([])
      })

      it('R4: a runner that failed before it registered gives its unit back, once', async () => {
        const { reservation, mints } = await launch(2)
        await bench.source.report(
          mints.map((mint) => report(mint.runner, 'starting', reservation)),
          NEVER,
        )
        const failed = report(mints[0]!.runner, 'failed', reservation, 'The image can not be pulled.')
        await bench.source.report([failed], NEVER)
        await bench.source.report([failed], NEVER)
        expect(units((await poll(5)).reservations)).toBe(1)
        expect(units((await poll(5)).reservations)).toBe(0)
      })

      it('a slot that was freed is granted again while others run', async () => {
        const { reservation, mints } = await launch(3)
        for (const mint of mints) {
          await bench.source.report([report(mint.runner, 'starting', reservation)], NEVER)
          await bench.takeJob(mint)
        }
        await bench.queue(['linux', 'x64'], 4)
        expect(units((await poll(4)).reservations)).toBe(4)
      })
    })

    describe('report', () => {
      it('repeated, late or out of order changes nothing that was further on', async () => {
        const { reservation, mints } = await launch(1)
        const { runner } = mints[0]!
        const started = report(runner, 'starting', reservation)
        await bench.source.report([started], NEVER)
        const job = await bench.takeJob(mints[0]!)
        const running = report(runner, 'running', reservation)
        const stopped = report(runner, 'stopped', reservation)
        await bench.source.report([running, stopped, running, started, stopped], NEVER)
        await job!.finish()
        await bench.source.report([{ ...started, at: Date.now() + 60_000 }, running], NEVER)
        expect(await observe(runner)).toMatchObject({ ended: true })
      })

      it('takes thousands at once, with long reasons', async () => {
        const reports = Array.from({ length: 2500 }, () =>
          report(runnerId(), 'failed', null, '€'.repeat(2000)),
        )
        await expect(bench.source.report(reports, NEVER)).resolves.toBeUndefined()
      })

      it('of nobody does nothing', async () => {
        await expect(bench.source.report([], NEVER)).resolves.toBeUndefined()
      })

      it('whose answer is lost throws, and can be sent again', async () => {
        const { reservation, mints } = await launch(1)
        await bench.takeJob(mints[0]!)
        bench.loseNextAnswer('report')
        const reports = [report(mints[0]!.runner, 'stopped', reservation)]
        expect(await kindOf(bench.source.report(reports, NEVER))).toBe('unavailable')
        await bench.source.report(reports, NEVER)
        expect(await observe(mints[0]!.runner)).toMatchObject({ ended: true })
      })
    })

    describe('reconcile', () => {
      it('of nobody, and of somebody unknown, ends nothing', async () => {
        expect(await bench.source.reconcile([], NEVER)).toEqual([])
        const observed = await bench.source.reconcile([runnerId()], NEVER)
        for (const runner of observed)
          expect(runner).toMatchObject({ registered: false, jobBound: false, ended: false })
      })

      it('takes an id twice for once', async () => {
        const { reservation, mints } = await launch(1)
        await bench.takeJob(mints[0]!)
        const { runner } = mints[0]!
        await bench.source.report([report(runner, 'running', reservation)], NEVER)
        expect(await bench.source.reconcile([runner, runner], NEVER)).toHaveLength(1)
      })

      it('of a runner at work that was never reported takes it for anything but unregistered', async () => {
        const { mints } = await launch(1)
        await bench.takeJob(mints[0]!)
        const observed = await bench.source.reconcile([mints[0]!.runner], NEVER)
        expect(observed.filter(({ registered }) => !registered)).toEqual([])
      })

      it('D8: throws when the answer is lost: unknown is not absent', async () => {
        bench.loseNextAnswer('reconcile')
        expect(await kindOf(bench.source.reconcile([runnerId()], NEVER))).toBe('unavailable')
      })
    })

    describe('a source in trouble', () => {
      const calls = (signal = NEVER): Promise<unknown>[] => [
        bench.source.authenticate(signal),
        bench.source.poll(ask(5), signal),
        bench.source.mint(
          { reservation: reservationId('0198f000-0000-4000-8000-00000000dead'), runners: runners(1) },
          signal,
        ),
        bench.source.report([report(runnerId(), 'running', null)], signal),
        bench.source.reconcile([runnerId()], signal),
      ]

      it.each<[string, SourceFailureKind, () => Promise<void>]>([
        ['refuses the token', 'unauthorized', () => bench.revokeToken()],
        ['is down', 'unavailable', () => bench.shutDown()],
      ])('that %s is %s to every call: never an empty answer', async (_, kind, happen) => {
        await happen()
        expect(await Promise.all(calls().map(kindOf))).toEqual(Array(5).fill(kind))
      })

      it('L8: a call whose caller has given up is not made', async () => {
        expect(await Promise.all(calls(AbortSignal.abort()).map(kindOf))).toEqual(
          Array(5).fill('unavailable'),
        )
      })

      it('a caller that gives up during a poll gets its end soon, as a SourceError', async () => {
        const controller = new AbortController()
        const polled = kindOf(bench.source.poll({ ...ask(5), waitSeconds: 30 }, controller.signal))
        await bench.source.reconcile([runnerId()], NEVER)
        controller.abort()
        expect(['unknown-outcome', 'unavailable']).toContain(await polled)
      })
    })
  })
}

/** How a call failed; anything but a `SourceError` fails the test. */
async function kindOf(call: Promise<unknown>): Promise<SourceFailureKind | 'answered'> {
  try {
    await call
    return 'answered'
  } catch (thrown) {
    if (thrown instanceof SourceError) return thrown.kind
    throw thrown
  }
}

function ask(available: number): PollRequest {
  const capacity = { template: TEMPLATE.key, labels: TEMPLATE.labels, available, starting: 0, running: 0 }
  return { capacity: [capacity], maxReservations: 100, waitSeconds: 0 }
}

function units(reservations: readonly Reservation[]): number {
  return reservations.reduce((sum, { count }) => sum + count, 0)
}

function good(mints: readonly Mint[]): readonly GoodMint[] {
  return mints.filter((mint) => mint.ok)
}

function secretsOf(mints: readonly Mint[]): readonly string[] {
  return good(mints).flatMap(({ secretEnv }) => Object.values(secretEnv).map((secret) => secret.reveal()))
}

function runnerId(): RunnerId {
  return newRunnerId(Date.now(), crypto.getRandomValues(new Uint8Array(10)))
}

function runners(count: number): MintRequest['runners'] {
  return Array.from({ length: count }, () => ({ id: runnerId(), template: TEMPLATE }))
}

function report(
  id: RunnerId,
  state: RunnerReport['state'],
  reservation: Reservation | null,
  reason: string | null = null,
): RunnerReport {
  return {
    id,
    template: TEMPLATE.key,
    labels: TEMPLATE.labels,
    reservation: reservation?.id ?? null,
    state,
    reason,
    at: Date.now(),
  }
}

const TEMPLATE = template('contract', { labels: LABELS })
