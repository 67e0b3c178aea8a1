import * as fc from 'fast-check'
import {
  type Host,
  reservationId,
  runnerId,
  type SourceId,
  sourceId,
  type TemplateKey,
} from '../../../core/model/index.ts'
import {
  type DemandPlan,
  type ClaimPlan,
  type CapacityPromise,
  type HostView,
  type LiveCount,
  planDemand,
  planClaims,
  planWarm,
  formatRefusal,
  type SourceDemand,
  type World,
} from '../../../core/plan/index.ts'
import { anyWaiting, demand, GITHUB, promiseOn, NOW, SHIPFOX, violations } from './worlds.ts'

const SOURCES = [SHIPFOX, GITHUB, sourceId('third')]

export type Step =
  | { kind: 'poll'; source: number; jobs: SourceDemand['waiting'] }
  | { kind: 'answer'; source: number; granted: readonly number[] }
  | { kind: 'warm'; source: number }
  | { kind: 'write' }
  | { kind: 'exit'; host: number }

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('poll' as const), source: fc.nat(2), jobs: anyWaiting }),
  fc.record({
    kind: fc.constant('answer' as const),
    source: fc.nat(2),
    granted: fc.array(fc.nat(), { maxLength: 9 }),
  }),
  fc.record({ kind: fc.constant('warm' as const), source: fc.nat(2) }),
  fc.record({ kind: fc.constant('write' as const) }),
  fc.record({ kind: fc.constant('exit' as const), host: fc.nat(4) }),
)

/** Plays the part of the control loop for several sources, without time and without failures. */
export class Fleet {
  #world: World
  #born = 1000
  readonly #open = new Map<SourceId, DemandPlan>()
  readonly #waiting = new Map<SourceId, SourceDemand['waiting']>()

  constructor(made: World) {
    this.#world = made
  }

  get #promised(): readonly CapacityPromise[] {
    return [...this.#open.values()].flatMap(({ promises }) => promises)
  }

  /** What is wrong with what a step adds, seen beside all that is promised, claimed and held. */
  take(one: Step): readonly string[] {
    const source = 'source' in one ? (SOURCES[one.source] ?? SHIPFOX) : SHIPFOX
    const beside = [...this.#open].flatMap(([other, { promises }]) => (other === source ? [] : promises))
    if (one.kind === 'poll' && !this.#open.has(source)) {
      this.#waiting.set(source, one.jobs)
      const others = SOURCES.filter((other) => other !== source).map((other) => this.#demand(other))
      const asked = planDemand(this.#world, this.#demand(source), others, 6)
      this.#open.set(source, asked)
      return this.#check(asked.promises, beside)
    }
    if (one.kind === 'answer') {
      const { promises } = this.#open.get(source) ?? { promises: [] }
      this.#open.delete(source)
      const indexes = new Set(one.granted.map((index) => index % Math.max(1, promises.length)))
      const slots = promises.filter((_, index) => indexes.has(index))
      const grants = slots.toReversed().map(({ slot }, index) => ({
        id: reservationId(`r-${index}`),
        labels: this.#world.templates.find(({ key }) => key === slot.template)?.labels ?? [],
        count: 1,
        expiresAt: NOW + 60_000,
      }))
      const plan = planClaims(this.#world, source, grants, beside, promises)
      return [...plan.refusals.map(formatRefusal), ...this.#claim(plan, beside)]
    }
    if (one.kind === 'warm') {
      return this.#claim(planWarm(this.#world, source, this.#promised), this.#promised)
    }
    if (one.kind === 'write') this.#write()
    if (one.kind === 'exit') this.#exit(one.host)
    return []
  }

  #demand(source: SourceId): SourceDemand {
    return demand(source, this.#waiting.get(source) ?? [], this.#open.get(source)?.promises ?? [])
  }

  /** Only hosts and templates that the step adds to: others may have been beyond their caps before. */
  #check(added: readonly CapacityPromise[], beside: readonly CapacityPromise[]): readonly string[] {
    const touched = new Set(added.flatMap(({ host, slot }) => [host as string, slot.template]))
    const near = beside.filter(({ host, slot }) => touched.has(host) || touched.has(slot.template))
    return added.length === 0 ? [] : violations(this.#world, [...near, ...added])
  }

  #claim({ runners, lastHost }: ClaimPlan, beside: readonly CapacityPromise[]): readonly string[] {
    const added = runners.map((runner) => promiseOn(runner.template, runner.host))
    const wrong = this.#check(added, beside)
    this.#world = { ...this.#world, lastHost, claiming: [...(this.#world.claiming ?? []), ...added] }
    return wrong
  }

  /** What was claimed stands in the store now. */
  #write(): void {
    const claims = this.#world.claiming ?? []
    const live = new Map<TemplateKey, LiveCount>(this.#world.live)
    for (const { slot } of claims) {
      const { starting, running } = live.get(slot.template) ?? { starting: 0, running: 0 }
      live.set(slot.template, { starting: starting + 1, running })
    }
    const hosts = this.#world.hosts.map((view) => {
      const mine = claims.filter(({ host }) => host === view.host.id)
      const added = mine.map(({ slot }) => [this.#newId(), slot] as const)
      const slots: Host['slots'] = new Map([...view.host.slots, ...added])
      return { ...view, host: { ...view.host, slots }, starting: view.starting + mine.length }
    })
    this.#world = { ...this.#world, hosts, live, claiming: [] }
  }

  #exit(index: number): void {
    const view: HostView | undefined = this.#world.hosts[index]
    const first = [...(view?.host.slots ?? [])][0]
    if (view === undefined || first === undefined) return
    const [id, slot] = first
    const slots = new Map([...view.host.slots].filter(([other]) => other !== id))
    const { starting, running } = this.#world.live.get(slot.template) ?? { starting: 0, running: 0 }
    const rest = starting > 0 ? { starting: starting - 1, running } : { starting, running: running - 1 }
    const live = new Map(this.#world.live).set(slot.template, rest)
    const hosts = this.#world.hosts.map((each) =>
      each === view
        ? { ...view, host: { ...view.host, slots }, starting: Math.max(0, view.starting - 1) }
        : each,
    )
    this.#world = { ...this.#world, hosts, live }
  }

  #newId(): ReturnType<typeof runnerId> {
    this.#born += 1
    return runnerId(`00000000-0000-7000-8000-${this.#born.toString(16).padStart(12, '0')}`)
  }
}
