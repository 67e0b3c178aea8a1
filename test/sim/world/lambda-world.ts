import { expect } from 'vitest'
import type { ControlLoopParts } from '../../../lambdas/control-loop/handler.ts'
import type { SimAgent } from './sim-agent.ts'
import { type Effect, Invocation } from './invocation.ts'
import { SimWorld } from './sim-world.ts'

export const TICK_MS = 60_000

/** When an event was due is what its sender says, whatever became of it on its way. */
export interface Delivery {
  readonly build?: string
  readonly dueAt?: number
  readonly over?: Partial<ControlLoopParts>
}

/** The hub's control loop as AWS runs it: a schedule that starts invocations, and a store that outlives them. */
export class LambdaWorld {
  readonly world: SimWorld
  readonly invocations: Invocation[] = []
  over: Partial<ControlLoopParts>
  build = '1'
  /** What becomes of each tick: as many deliveries as numbers, each that much late. */
  fate: (tick: number) => readonly number[] = () => [0]
  #ticking = false
  #ticks = 0

  constructor(seed: number, over: Partial<ControlLoopParts> = {}) {
    this.world = new SimWorld(seed)
    this.over = over
  }

  async addHost(name: string): Promise<SimAgent> {
    const agent = await this.world.addHost(name)
    agent.connect()
    return agent
  }

  async storeTemplates(): Promise<void> {
    const { templates, store, clock } = this.world
    const facts = { version: 1, storedAt: clock.now(), storedBy: 'test', text: '' }
    await store.putTemplateVersion({ ...facts, templates }, 0)
  }

  /** Starts one invocation with the newest code, unless told otherwise. */
  invoke({ build = this.build, dueAt = this.world.clock.now(), over = {} }: Delivery = {}): Invocation {
    const invocation = new Invocation(this.world, `i${this.invocations.length}-b${build}`)
    this.invocations.push(invocation)
    const time = new Date(dueAt).toISOString()
    void invocation.run(invocation.parts(build, { ...this.over, ...over }), { time })
    return invocation
  }

  /** What a container of its own is built with. */
  partsOf(build: string): ControlLoopParts {
    const invocation = new Invocation(this.world, `c${this.invocations.length}-b${build}`)
    this.invocations.push(invocation)
    return invocation.parts(build, this.over)
  }

  startSchedule(): void {
    this.#ticking = true
    void this.#schedule()
  }

  stopSchedule(): void {
    this.#ticking = false
  }

  async #schedule(): Promise<void> {
    while (this.#ticking) {
      const dueAt = this.world.clock.now()
      for (const lateMs of this.fate(this.#ticks)) void this.#deliver(dueAt, lateMs)
      this.#ticks += 1
      await this.world.clock.sleep(TICK_MS)
    }
  }

  async #deliver(dueAt: number, lateMs: number): Promise<void> {
    await this.world.clock.sleep(lateMs)
    this.invoke({ dueAt })
  }

  get effects(): readonly Effect[] {
    return this.invocations
      .flatMap(({ effects }) => effects)
      .toSorted((left, right) => left.atMs - right.atMs)
  }

  /** Who holds the lease now. */
  async holder(): Promise<Invocation | undefined> {
    const lease = await this.world.store.readLease()
    if (lease === null || lease.expiresAt <= this.world.clock.now()) return undefined
    return this.invocations.find(({ id }) => lease.holder.startsWith(`${id}-`))
  }

  /** Lets time pass until somebody other than `than` asks a source for work. */
  async untilAskedBy(than: Invocation, limitMs: number): Promise<Invocation> {
    const since = this.world.clock.monotonicMs()
    const next = (): Effect | undefined =>
      this.effects.find((one) => one.what === 'ask' && one.by !== than.id && one.atMs >= since)
    await this.world.clock.runUntil(
      () => next() !== undefined,
      limitMs,
      () => JSON.stringify(this.world.events.slice(-5)),
    )
    return this.invocations.find(({ id }) => id === next()?.by)!
  }
}

/**
 * Inv. 5 and 10: what takes room, grants or tokens, and what starts runners, is done under fences that only rise, so by
 * one planner after another.
 *
 * One exception: a dispatch or a command that was on its way when its planner was paused may arrive after a successor
 * has begun. No lease can call back what was sent; docs/adr/0009 says why it does no harm. Reports are left out: they say
 * what is written down, whoever says it, and a source lets states only move up.
 */
export function checkOneWriter({ effects, invocations }: LambdaWorld): void {
  const pauses = new Map(invocations.map((invocation) => [invocation.id, invocation.pauses]))
  let highest = 0
  for (const { what, fence, by, atMs, sentAtMs } of effects) {
    if (what === 'poll' || what === 'report') continue
    expect(fence, `inv. 10: ${by}: ${what} without a lease`).not.toBeNull()
    const isLate = pauses.get(by)?.some(({ fromMs, toMs }) => sentAtMs <= fromMs && toMs <= atMs) === true
    if (isLate && (what === 'dispatch' || what === 'post')) continue
    expect(fence, `inv. 5: ${by}: ${what} at ${atMs} ms under an old fence`).toBeGreaterThanOrEqual(highest)
    highest = Math.max(highest, fence ?? 0)
  }
}

/** Nothing failed but what a test let fail, which it names by the codes of those failures. */
export function checkFailures({ world, invocations }: LambdaWorld, injected: readonly string[]): void {
  const failures = [
    ...world.failures,
    ...invocations.filter(({ end }) => end === 'threw').map(({ failure }) => failure),
  ]
  const isInjected = (thrown: unknown): boolean =>
    injected.includes(String(Reflect.get(Object(thrown), 'code')))
  expect(
    failures.filter((thrown) => !isInjected(thrown)),
    'something else failed than what was let fail',
  ).toEqual([])
}

/** L8: what a function has left running would go on in its next invocation. */
export function checkNothingRunsOn({ invocations }: LambdaWorld): void {
  for (const { id, late } of invocations) expect(late, `${id} went on after it had returned`).toEqual([])
}

/** Each hand-over from one invocation to the next: the pause in which nobody planned. */
export function pausesOf({ effects }: LambdaWorld): readonly { from: string; to: string; ms: number }[] {
  const pauses: { from: string; to: string; ms: number }[] = []
  let last: Effect | null = null
  for (const effect of effects) {
    if (effect.fence === null) continue
    if (last !== null && last.by !== effect.by && effect.what === 'ask')
      pauses.push({ from: last.by, to: effect.by, ms: effect.atMs - last.atMs })
    last = effect
  }
  return pauses
}
