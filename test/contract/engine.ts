import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  EngineError,
  type Engine,
  type EngineEvent,
  type EngineRunner,
  type RunnerSpec,
} from '../../agent/engines/engine.ts'
import { newRunnerId, Secret, sourceId, templateKey, type RunnerId } from '../../core/model/index.ts'
import type { Clock } from '../../core/ports/index.ts'

/** One engine under test and what the suite needs around it. */
export interface EngineBench {
  readonly engine: Engine
  /** The same agent after a restart: it remembers nothing. */
  restarted(): Engine
  /** The engine of another installation on the same machine. */
  readonly stranger: Engine
  /** Runs the variable SCRIPT with a shell. */
  readonly image: string
  /** Everything about a runner that outsiders can read: labels, files. */
  traces(runner: RunnerId): Promise<string>
  close(): Promise<void>
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    }),
}

export function newId(): RunnerId {
  return newRunnerId(Date.now(), randomBytes(10))
}

/** A small runner that runs `script` with a shell. */
export function specFor(image: string, script: string, more: Partial<RunnerSpec> = {}): RunnerSpec {
  return {
    runner: newId(),
    origin: {
      template: templateKey('docker-debug'),
      source: sourceId('sandbox'),
      labels: ['debug', 'docker'],
      reservation: 'r "quoted" ü',
      cpuMillis: 500,
      memoryMib: 64,
    },
    image,
    isolation: 'runc',
    env: { SCRIPT: script },
    secretEnv: {},
    startDeadlineMs: 120_000,
    maxLifetimeMs: 3_600_000,
    stopTimeoutMs: 10_000,
    ...more,
  }
}

/** The error that a call ends with; a call that succeeds fails the test. */
export async function failureOf(call: Promise<unknown>): Promise<EngineError> {
  const thrown = await call.then(
    () => new Error('expected an EngineError, but the call succeeded'),
    (error: unknown) => error,
  )
  if (thrown instanceof EngineError) return thrown
  throw thrown
}

/** How several calls that run at once fail. */
export async function failureKinds(calls: readonly Promise<unknown>[]): Promise<string[]> {
  return (await Promise.all(calls.map(failureOf))).map(({ kind }) => kind)
}

/** Waits until a runner is in a state, and says what stands then. */
export async function reach(
  engine: Engine,
  runner: RunnerId,
  state: EngineRunner['state'],
): Promise<EngineRunner> {
  await expect.poll(async () => (await engine.inspect(runner))?.state).toBe(state)
  const found = await engine.inspect(runner)
  if (found === null) throw new Error(`runner ${runner} is gone`)
  return found
}

/** Follows an engine's events from now on, until `stop`. */
export async function follow(
  engine: Engine,
): Promise<{ events: readonly EngineEvent[]; stop: () => Promise<void> }> {
  const events: EngineEvent[] = []
  const over = new AbortController()
  const opened = Promise.withResolvers<void>()
  const handlers = { onOpen: opened.resolve, onEvent: (event: EngineEvent) => void events.push(event) }
  const watching = engine.watch(handlers, over.signal)
  await Promise.race([opened.promise, watching])
  const stop = async (): Promise<void> => {
    over.abort()
    await watching
  }
  return { events, stop }
}

/** What every engine must do, checked on a real one. */
export function describeEngine(name: string, open: () => Promise<EngineBench>): void {
  describe(`engine: ${name}`, () => {
    let bench: EngineBench
    let engine: Engine
    const spec = (script: string, more: Partial<RunnerSpec> = {}) => specFor(bench.image, script, more)
    const launch = async (script: string, more: Partial<RunnerSpec> = {}) => {
      const made = spec(script, more)
      await engine.create(made)
      await engine.start(made.runner)
      return made.runner
    }

    beforeAll(async () => {
      bench = await open()
      engine = bench.engine
    })
    afterAll(() => bench.close())

    it('says what the machine has and which boot it lives in', async () => {
      const facts = await engine.describe()
      expect(facts.capacity.cpuMillis).toBeGreaterThanOrEqual(1000)
      expect(facts.capacity.memoryMib).toBeGreaterThan(256)
      expect(facts.isolations).toContain('runc')
      expect(facts.bootId).not.toBe('')
      expect((await bench.restarted().describe()).bootId).toBe(facts.bootId)
    })

    it('creates without starting, and keeps what the agent needs to take the runner over', async () => {
      const made = spec('exit 0')
      expect(await engine.create(made)).toBe('created')
      const { runner, origin, startDeadlineMs, maxLifetimeMs, stopTimeoutMs } = made
      const expected = {
        runner,
        origin,
        startDeadlineMs,
        maxLifetimeMs,
        stopTimeoutMs,
        state: 'created',
        startedAt: null,
        finishedAt: null,
        exitCode: null,
        oomKilled: false,
        error: null,
      }
      expect(await bench.restarted().inspect(runner)).toMatchObject(expected)
      const created = await engine.inspect(runner)
      expect(Math.abs((created?.createdAt ?? 0) - Date.now())).toBeLessThan(60_000)
    })

    it('reports how a runner ended', async () => {
      // Alive for a moment: a busy engine notes a start later than the end of a process that ends at once.
      const runner = await launch('sleep 1; exit 7')
      const ended = await reach(engine, runner, 'exited')
      expect(ended).toMatchObject({ exitCode: 7, oomKilled: false })
      expect(ended.startedAt).toBeGreaterThanOrEqual(ended.createdAt)
      expect(ended.finishedAt).toBeGreaterThanOrEqual(ended.startedAt ?? Infinity)
    })

    it('start resolves with what stands then', async () => {
      const made = spec('sleep 60')
      await engine.create(made)
      const running = await engine.start(made.runner)
      expect(running).toMatchObject({ state: 'running', finishedAt: null, exitCode: null })
      expect(running.startedAt).not.toBeNull()
      await engine.stop(made.runner, 0)
    })

    it('K2: a runner that was created before is found, not made twice, even after a restart of the agent', async () => {
      const made = spec('sleep 60')
      expect(await engine.create(made)).toBe('created')
      expect(await engine.create(made)).toBe('existed')
      expect(await bench.restarted().create(made)).toBe('existed')
      await engine.start(made.runner)
      expect(await engine.create(made)).toBe('existed')
      expect((await engine.inspect(made.runner))?.state).toBe('running')
      await engine.stop(made.runner, 0)
    })

    it('R3: never starts a runner a second time, neither while it runs nor after its end', async () => {
      const made = spec('echo once; sleep 0.3')
      await engine.create(made)
      const first = await Promise.all([1, 2, 3].map(() => engine.start(made.runner)))
      expect(new Set(first.map(({ startedAt }) => startedAt)).size).toBe(1)
      expect((await engine.start(made.runner)).startedAt).toBe(first[0]!.startedAt)
      const ended = await reach(engine, made.runner, 'exited')
      expect(await engine.start(made.runner)).toEqual(ended)
      expect(await bench.restarted().start(made.runner)).toEqual(ended)
      expect(await engine.logTail(made.runner, 1000)).toBe('once\n')
    })

    it('stops with SIGTERM first and waits for the end', async () => {
      const runner = await launch('trap "echo asked; exit 5" TERM; echo ready; while :; do sleep 0.05; done')
      await expect.poll(() => engine.logTail(runner, 100)).toContain('ready')
      await engine.stop(runner, 20_000)
      expect(await engine.inspect(runner)).toMatchObject({ state: 'exited', exitCode: 5 })
      expect(await engine.logTail(runner, 100)).toContain('asked')
    })

    it('kills what ignores SIGTERM once the grace is over', async () => {
      const runner = await launch('trap "" TERM; echo ready; while :; do sleep 0.05; done')
      await expect.poll(() => engine.logTail(runner, 100)).toContain('ready')
      const begun = performance.now()
      await engine.stop(runner, 1_000)
      expect(performance.now() - begun).toBeGreaterThan(900)
      expect(await engine.inspect(runner)).toMatchObject({ state: 'exited', exitCode: 137 })
    })

    it('stopping what has ended, was never started or never existed is fine', async () => {
      const ended = await launch('exit 0')
      await reach(engine, ended, 'exited')
      await engine.stop(ended, 1_000)
      const created = spec('exit 0')
      await engine.create(created)
      await engine.stop(created.runner, 1_000)
      await engine.stop(newId(), 1_000)
      expect(await engine.inspect(ended)).toMatchObject({ state: 'exited', exitCode: 0 })
    })

    it('never removes a running one; removes a stopped one for good, and twice is fine', async () => {
      const runner = await launch('sleep 60')
      expect((await failureOf(engine.remove(runner))).kind).toBe('refused')
      expect((await engine.inspect(runner))?.state).toBe('running')
      await engine.stop(runner, 0)
      await engine.remove(runner)
      expect(await engine.inspect(runner)).toBeNull()
      expect((await engine.list()).map((listed) => listed.runner)).not.toContain(runner)
      await engine.remove(runner)
      expect((await failureOf(engine.start(runner))).kind).toBe('not-found')
    })

    it('lists all of its runners, whatever their state, and shows each as inspect does', async () => {
      const created = Array.from({ length: 6 }, () => spec('sleep 60'))
      for (const made of created) await engine.create(made)
      const [waiting, running, ended] = [created.slice(0, 2), created.slice(2, 4), created.slice(4)]
      for (const made of [...running, ...ended]) await engine.start(made.runner)
      await Promise.all(ended.map((made) => engine.stop(made.runner, 0)))
      for (const listing of [engine, engine, bench.restarted()]) {
        const found = new Map((await listing.list()).map((runner) => [runner.runner, runner]))
        for (const { runner } of created) expect(found.get(runner)).toEqual(await engine.inspect(runner))
        expect(waiting.map(({ runner }) => found.get(runner)?.state)).toEqual(['created', 'created'])
        expect(running.map(({ runner }) => found.get(runner)?.state)).toEqual(['running', 'running'])
        expect(ended.map(({ runner }) => found.get(runner)?.state)).toEqual(['exited', 'exited'])
      }
      await Promise.all(running.map((made) => engine.stop(made.runner, 0)))
    })

    it('K20: leaves alone what belongs to another installation, even under the very same name', async () => {
      const foreign = spec('echo theirs; sleep 60')
      await bench.stranger.create(foreign)
      await bench.stranger.start(foreign.runner)
      const seen = await follow(engine)
      expect((await failureOf(engine.create(foreign))).kind).toBe('conflict')
      expect((await engine.list()).map(({ runner }) => runner)).not.toContain(foreign.runner)
      expect(await engine.inspect(foreign.runner)).toBeNull()
      await engine.stop(foreign.runner, 0)
      await engine.remove(foreign.runner)
      expect((await failureOf(engine.start(foreign.runner))).kind).toBe('not-found')
      expect((await failureOf(engine.examine(foreign.runner))).kind).toBe('not-found')
      expect((await failureOf(engine.logTail(foreign.runner, 100))).kind).toBe('not-found')
      expect((await bench.stranger.inspect(foreign.runner))?.state).toBe('running')
      await bench.stranger.stop(foreign.runner, 0)
      await bench.stranger.remove(foreign.runner)
      await seen.stop()
      expect(seen.events.map(({ runner }) => runner)).not.toContain(foreign.runner)
    })

    it('tells that it knows nothing of an unknown runner', async () => {
      expect(await engine.inspect(newId())).toBeNull()
      const calls = [engine.start(newId()), engine.logTail(newId(), 10), engine.examine(newId())]
      expect(await failureKinds(calls)).toEqual(['not-found', 'not-found', 'not-found'])
      await engine.remove(newId())
    })

    it('gives the end of the log, both streams in order, within the bound', async () => {
      const script =
        'for i in $(seq 1 500); do echo "line $i ü"; done; sleep 0.1; echo oops >&2; sleep 0.1; printf end'
      const runner = await launch(script)
      await reach(engine, runner, 'exited')
      expect(await engine.logTail(runner, 30)).toMatch(/oops\nend$/)
      expect(await engine.logTail(runner, 100_000)).toMatch(/^line 1 ü\nline 2 ü\n/)
      for (const bytes of [1, 29, 30, 31, 32]) {
        const tail = await engine.logTail(runner, bytes)
        expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(bytes)
        expect(tail).not.toContain('\uFFFD')
      }
    })

    it('has an empty log for a runner that never wrote', async () => {
      const made = spec('exit 0')
      await engine.create(made)
      expect(await engine.logTail(made.runner, 100)).toBe('')
    })

    it('K21: bounds the log of a runner that writes without end', async () => {
      const runner = await launch('dd if=/dev/zero bs=65536 count=640 2>/dev/null; echo; echo last')
      await reach(engine, runner, 'exited')
      expect(await engine.logTail(runner, 100)).toMatch(/last\n$/)
      expect(Buffer.byteLength(await engine.logTail(runner, 200_000))).toBeLessThanOrEqual(200_000)
    })

    it('X18: hands the secret to the runner and shows it nowhere', async () => {
      const canary = `canary-${randomBytes(12).toString('hex')}`
      const script = 'echo "got ${#TOKEN} characters"'
      const made = spec(script, { secretEnv: { TOKEN: new Secret(canary) } })
      await engine.create(made)
      await engine.start(made.runner)
      await reach(engine, made.runner, 'exited')
      expect(await engine.logTail(made.runner, 1000)).toBe(`got ${canary.length} characters\n`)
      const shown = [
        await engine.list(),
        await engine.inspect(made.runner),
        await engine.examine(made.runner),
      ]
      const everything = JSON.stringify(shown) + (await bench.traces(made.runner))
      expect(everything).toContain(made.runner)
      for (const form of ['utf8', 'base64', 'hex'] as const) {
        expect(everything).not.toContain(Buffer.from(canary).toString(form))
      }
    })

    it('tells of starts, exits and removals', async () => {
      const seen = await follow(engine)
      const runner = await launch('exit 0')
      await reach(engine, runner, 'exited')
      await engine.remove(runner)
      const kinds = () => [
        ...new Set(seen.events.filter((event) => event.runner === runner).map(({ kind }) => kind)),
      ]
      await expect.poll(kinds).toEqual(['started', 'exited', 'removed'])
      await seen.stop()
    })

    it('K7: an exit around the time of the subscription is in an event or in the list after it', async () => {
      for (const delaySeconds of [0, 0.02, 0.05, 0.1, 0.2]) {
        const runner = await launch(`sleep ${delaySeconds}`)
        const seen = await follow(engine)
        const listed = (await engine.list()).find((found) => found.runner === runner)
        const isKnown = () =>
          listed?.state === 'exited' ||
          seen.events.some((event) => event.runner === runner && event.kind === 'exited')
        await expect.poll(isKnown).toBe(true)
        await seen.stop()
      }
    })

    it('ends a subscription without an error when it is given up, also before it stands', async () => {
      const seen = await follow(engine)
      await seen.stop()
      const handlers = { onOpen: () => {}, onEvent: () => {} }
      expect(await engine.watch(handlers, AbortSignal.abort())).toBeUndefined()
    })

    it('K17: a restarted agent takes over what runs, with its exit code', async () => {
      const runner = await launch('trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done')
      await expect.poll(() => engine.logTail(runner, 100)).toContain('ready')
      const restarted = bench.restarted()
      const taken = (await restarted.list()).find((found) => found.runner === runner)
      expect(taken).toEqual(await engine.inspect(runner))
      expect((await restarted.start(runner)).startedAt).toBe(taken?.startedAt)
      await restarted.stop(runner, 20_000)
      expect(await restarted.inspect(runner)).toMatchObject({ state: 'exited', exitCode: 9 })
      await restarted.remove(runner)
      expect(await engine.inspect(runner)).toBeNull()
    })

    it('has its image', async () => {
      expect(await engine.image(bench.image)).not.toBeNull()
    })
  })
}
