import type {
  Host,
  HostId,
  HubMessage,
  LaunchOrder,
  LogEvent,
  Moved,
  Runner,
  RunnerId,
  RunnerReport,
} from '../../../core/model/index.ts'
import type { FleetStore, MintRequest } from '../../../core/ports/index.ts'
import type { SimAgent } from '../world/sim-agent.ts'
import type { SimSource } from '../world/sim-source.ts'
import { CheckerBook } from './checker-book.ts'
import { checkClaim, checkHost, checkSlots } from './hosts.ts'
import { checkLaunched, checkPost, checkReport, checkStart, checkStop } from './effects.ts'
import { checkReserved, checkRunner } from './runners.ts'

/** A credential as the simulated sources make them. */
const TOKEN = /-token-\d/

/**
 * Sees every write to the store and every effect outside it, at the moment it happens and whoever made it, and holds
 * each against the invariants. It believes nobody's word: it keeps its own copy of what was written.
 */
export class InvariantChecker extends CheckerBook {
  /** The store, with every write of it watched. It must be the innermost: what it is told did take effect. */
  watch(store: FleetStore): FleetStore {
    return { ...store, ...this.#leases(store), ...this.#hosts(store), ...this.#runners(store) }
  }

  /** Inv. 16: what one host says changes, and asks for, nothing of another. */
  onlyOf(host: HostId, store: FleetStore): FleetStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: readonly unknown[]): unknown => {
          const [first] = args
          const subject: unknown = typeof first === 'string' ? first : Reflect.get(Object(first), 'host')
          const isOther = typeof subject === 'string' && subject !== host
          this.expect(!isOther, 16, `a message of ${host} led to ${String(name)} on ${String(subject)}`)
          return Reflect.apply(value, target, args)
        }
      },
    })
  }

  says(event: LogEvent): void {
    this.expect(!TOKEN.test(JSON.stringify(event)), 15, `the log event ${event.name} holds a token`)
  }

  mints(source: SimSource, { runners }: MintRequest): void {
    for (const { id } of runners) {
      const runner = this.runners.get(id)
      this.expect(runner !== undefined, 7, `a mint for ${id}, which was never written down`)
      this.expect(runner === undefined || runner.source === source.id, 9, `${source.id} is asked for ${id}`)
    }
  }

  tells(source: SimSource, reports: readonly RunnerReport[]): void {
    for (const report of reports) checkReport(this, source, report)
  }

  posts(host: HostId, message: HubMessage): void {
    checkPost(this, host, message)
  }

  obeys(agent: SimAgent, message: Extract<HubMessage, { type: 'launch' | 'settle' | 'stop' }>): void {
    const { fence, epoch } = this.highest.obeyed.get(agent.host) ?? { fence: 0, epoch: 0 }
    const isFresh = message.fence >= fence && message.epoch >= epoch
    this.expect(isFresh, 5, `${agent.host} obeyed a ${message.type} under ${message.epoch}/${message.fence}`)
    this.highest.obeyed.set(agent.host, { fence: message.fence, epoch: message.epoch })
    if (message.type === 'launch') for (const { runner } of message.launches) checkLaunched(this, runner)
  }

  starts(agent: SimAgent, order: LaunchOrder): void {
    checkStart(this, agent, order)
  }

  stops(agent: SimAgent, runner: RunnerId): void {
    checkStop(this, agent, runner)
  }

  #leases(store: FleetStore): Partial<FleetStore> {
    return {
      takeLease: async (request) => {
        const lease = await store.takeLease(request)
        if (lease === null) return null
        this.expect(lease.fence > this.highest.lease, 5, `the lease was taken under ${lease.fence} again`)
        this.highest.lease = Math.max(this.highest.lease, lease.fence)
        return lease
      },
      renewLease: async (request) => {
        const lease = await store.renewLease(request)
        const isNewest = lease === null || request.fence === this.highest.lease
        this.expect(isNewest, 5, `the lease of ${request.fence} was renewed after ${this.highest.lease}`)
        return lease
      },
    }
  }

  #hosts(store: FleetStore): Partial<FleetStore> {
    const seen = async <T>(id: HostId, work: Promise<T>): Promise<T> => {
      // Asked for right after the write, before anything else can run.
      const [answer, host] = await Promise.all([work, store.getHost(id)])
      this.#sawHost(id, host)
      return answer
    }
    return {
      addHost: (request) => seen(request.id, store.addHost(request)),
      raiseFence: (id, fence) => seen(id, store.raiseFence(id, fence)),
      claimSlots: async (request) => {
        const [answer, after] = await Promise.all([store.claimSlots(request), store.getHost(request.host)])
        const before = this.hosts.get(request.host)
        if (after !== null && before?.revision !== after.revision) checkClaim(this, request, before, after)
        this.#sawHost(request.host, after)
        return answer
      },
      adoptSlot: (request) => seen(request.host, store.adoptSlot(request)),
      freeSlot: (request) => seen(request.host, store.freeSlot(request)),
      setBackoff: (request) => seen(request.host, store.setBackoff(request)),
      beginSession: (request) => seen(request.host, store.beginSession(request)),
      openHost: (request) => seen(request.host, store.openHost(request)),
      endSession: (request) => seen(request.host, store.endSession(request)),
      setAccepting: (request) => seen(request.host, store.setAccepting(request)),
      declareDead: (request) => seen(request.host, store.declareDead(request)),
      removeHost: (id) => seen(id, store.removeHost(id)),
    }
  }

  #runners(store: FleetStore): Partial<FleetStore> {
    const moved = async (work: Promise<Moved>): Promise<Moved> => {
      const answer = await work
      if (answer.runner !== null) this.#sawRunner(answer.runner)
      return answer
    }
    return {
      putRunner: async (runner, now) => {
        const there = await store.putRunner(runner, now)
        this.#sawRunner(there ?? runner)
        return there
      },
      dispatchRunner: (request) => moved(store.dispatchRunner(request)),
      startRunner: (request) => moved(store.startRunner(request)),
      endRunner: (request) => moved(store.endRunner(request)),
      confirmRunner: (request) => moved(store.confirmRunner(request)),
      orderStop: (request) => moved(store.orderStop(request)),
    }
  }

  #sawHost(id: HostId, after: Host | null): void {
    const before = this.hosts.get(id)
    if (after === null) {
      this.hosts.delete(id)
      return
    }
    this.hosts.set(id, after)
    if (before !== undefined) checkHost(this, before, after)
    checkSlots(this, before, after)
  }

  #sawRunner(after: Runner): void {
    const before = this.runners.get(after.id)
    this.runners.set(after.id, after)
    this.expect(!TOKEN.test(JSON.stringify(after)), 15, `the record of ${after.id} holds a token`)
    if (before === undefined && after.state === 'reserved') checkReserved(this, after)
    checkRunner(this, before, after)
  }
}
