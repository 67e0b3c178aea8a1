import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Engine } from '../../agent/engines/engine.ts'
import { createAgent } from '../../agent/index.ts'
import { eventually, PATIENCE_MS } from '../support/eventually.ts'
import { newRunner, order, World } from './harness.ts'
import { SILENT_LOG } from '../support/event-recorder.ts'

/**
 * K17 by enumeration: an agent is killed before or after each call that it makes to its engine, in a run with launches,
 * good and bad exits and a stop; the next agent gets the journal as it stood on disk at that moment.
 */
type KillPoint = { readonly call: number; readonly after: boolean; readonly torn: boolean }

/** What the first agent sees of the engine: at its end, nothing answers any more. */
function mortal(
  engine: Engine,
  point: KillPoint | null,
  onDeath: () => void,
): { engine: Engine; calls: () => number } {
  let calls = 0
  let dead = false
  const die = async (): Promise<never> => {
    if (!dead) onDeath()
    dead = true
    return new Promise<never>(() => {})
  }
  const wrapped = new Proxy(engine, {
    get(target, name: keyof Engine) {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>
      if (typeof method !== 'function') return method
      if (name === 'watch') return method.bind(target)
      return async (...args: unknown[]) => {
        calls += 1
        const fatal = calls === point?.call
        if (dead || (fatal && !point.after)) return die()
        const result = await method.apply(target, args)
        return fatal || dead ? die() : result
      }
    },
  })
  return { engine: wrapped, calls: () => calls }
}

async function runWithDeath(point: KillPoint | null): Promise<number> {
  const world = await World.open(50)
  const first = mkdtempSync(join(tmpdir(), 'agent-'))
  const launches = Array.from({ length: 4 }, () => order(newRunner()))
  const [good, bad, stopped, lasting] = launches.map(({ runner }) => runner) as [never, never, never, never]
  let died = false
  let over = false
  const { engine, calls } = mortal(world.engine, point, () => {
    if (over) return
    died = true
    cpSync(first, world.dataDir, {
      recursive: true,
      filter: (path) => !path.includes('sock') && !path.includes('.lock'),
    })
    if (point?.torn) addTornLine(join(world.dataDir, 'journal.jsonl'))
    world.hub.deadQuery = '?first'
    world.hub.cut()
  })
  // The run of the first agent, whatever it gets done of it.
  world.startAgent({ engine, dataDir: first, hubUrl: `${world.hub.url}?first` })
  let step = 0
  const exited = new Set<string>()
  const drive = setInterval(() => {
    if (step === 0 && world.hub.synced && world.hub.sockets.size > 0) {
      step = 1
      world.hub.launch(launches)
    }
    for (const [runner, code] of [
      [good, 0],
      [bad, 1],
    ] as const) {
      if (exited.has(runner) || world.engine.containers.get(runner)?.seen.state !== 'running') continue
      exited.add(runner)
      world.engine.exit(runner, code)
    }
    if (step === 1 && world.hub.phaseOf(stopped) === 'running') {
      step = 2
      world.hub.stopRunner(stopped)
    }
  }, 2)
  const ended = (runner: never): boolean => world.hub.runners.get(runner)?.cleared === true
  const allDone = (): boolean => [good, bad, stopped].every(ended) && world.hub.phaseOf(lasting) === 'running'
  try {
    await eventually('the first agent is done, or dead', () => died || allDone(), {
      withinMs: point === null ? PATIENCE_MS : 5_000,
    }).catch((error: unknown) => {
      if (point === null) throw error
    })
    over = true
    const killed = world.engine.calls.length
    await world.stopAgentAbruptly()
    if (!died)
      cpSync(first, world.dataDir, {
        recursive: true,
        filter: (path) => !path.includes('sock') && !path.includes('.lock'),
      })
    // The next agent, on what the first one left.
    world.hub.deadQuery = '?first'
    await world.started()
    // An order to stop is repeated until its runner has ended.
    world.hub.stopRunner(stopped)
    // A hub that heard nothing of a runner asks, and repeats its launch: neither may start anything twice.
    world.hub.settle(launches.map(({ runner }) => runner))
    world.hub.launch(launches)
    const isEnded = (runner: never): boolean =>
      ['exited', 'refused'].includes(world.hub.phaseOf(runner) ?? '') && ended(runner)
    await eventually(`all ended after ${killed} calls`, () => [good, bad, stopped].every(isEnded))
    const isSettled = (): boolean => isEnded(lasting) || world.hub.phaseOf(lasting) === 'running'
    await eventually('the lasting one is settled', isSettled)

    for (const { runner } of launches) {
      expect(world.engine.startsBySecret.get(`canary-${runner}`) ?? 0).toBeLessThanOrEqual(1)
      const started = (world.engine.startsBySecret.get(`canary-${runner}`) ?? 0) === 1
      const finished = world.hub.endOf(runner)?.outcome === 'finished'
      expect(finished && runner !== good).toBe(false)
      expect(started || world.hub.phaseOf(runner) === 'refused').toBe(true)
    }
    const goodExited = exited.has(good) && world.hub.phaseOf(good) === 'exited'
    expect(!goodExited || world.hub.endOf(good)?.outcome === 'finished').toBe(true)
    const left = [...world.engine.containers.keys()]
    expect(left).toEqual(world.hub.phaseOf(lasting) === 'running' ? [lasting] : [])
    return calls()
  } finally {
    clearInterval(drive)
    await world.close()
    rmSync(first, { recursive: true, force: true })
  }
}

/** One more line, of which the last bytes never reached the disk: those before it did, for calls rely on them. */
function addTornLine(path: string): void {
  const last = readFileSync(path, 'utf8').split('\n').at(-2) ?? ''
  appendFileSync(path, last.slice(0, -7))
}

describe('K17: an agent that is killed', () => {
  it('anywhere between two calls to its engine leaves what the next one needs', {
    timeout: 240_000,
  }, async () => {
    const total = await runWithDeath(null)
    expect(total).toBeGreaterThan(20)
    const points = Array.from({ length: total }, (_, index) => index + 1).flatMap((call) => [
      { call, after: false, torn: false },
      { call, after: true, torn: false },
      // The line that was being written when the machine lost power.
      { call, after: true, torn: true },
    ])
    for (const point of points) {
      await runWithDeath(point).catch((cause: unknown) => {
        throw new Error(`killed at ${JSON.stringify(point)} of ${total}: ${String(cause)}`, { cause })
      })
    }
  })

  it('starts again from a data folder whose lock it never gave back', async () => {
    const world = await World.open()
    await world.started()
    const second = createAgentOn(world)
    await expect(second).rejects.toMatchObject({ code: 'agent-locked' })
    await world.close()
  })
})

async function createAgentOn(world: World): Promise<void> {
  await createAgent({
    host: 'host-1' as never,
    hubUrl: world.hub.url,
    token: order().secretEnv['TOKEN']!,
    engine: world.engine,
    install: 'f'.repeat(32),
    dataDir: world.dataDir,
    caps: {},
    retention: world.retention,
    clock: world.clock,
    random: { unit: Math.random, bytes: (count) => new Uint8Array(count) },
    log: SILENT_LOG,
    agentVersion: '0',
  }).run(new AbortController().signal)
}
