import type { Host, HostId, Runner, RunnerId, Template } from '../../../core/model/index.ts'
import type { SimAgent } from '../world/sim-agent.ts'
import type { SimSource } from '../world/sim-source.ts'

/** What really is there, beside what the hub wrote down. */
export interface Scene {
  readonly agents: ReadonlyMap<HostId, SimAgent>
  readonly sources: readonly SimSource[]
  readonly templates: readonly Template[]
  readonly clock: { monotonicMs(): number }
}

/** What an invariant checker has seen so far, and the violations that it found. */
export class CheckerBook {
  readonly scene: Scene
  /** One sentence per breach, with the number of the invariant. */
  readonly breaches: string[] = []
  /** As last written, removed ones too: an id is never used again. */
  readonly runners = new Map<RunnerId, Runner>()
  readonly hosts = new Map<HostId, Host>()
  /** The highest that took effect so far. */
  readonly highest = { lease: 0, claim: 0, obeyed: new Map<HostId, { fence: number; epoch: number }>() }

  constructor(scene: Scene) {
    this.scene = scene
  }

  expect(holds: boolean, invariant: number, what: string): void {
    if (!holds) this.breaches.push(`inv. ${invariant}: ${what} (at ${this.scene.clock.monotonicMs()} ms)`)
  }
}
