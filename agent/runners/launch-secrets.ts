import type { RunnerId, Secret } from '../../core/model/index.ts'
import type { RunnerEvents } from '../runner-events.ts'
import { isLive } from '../state/ledger.ts'

/** The secrets of live runners, for their removal from crash reports. Memory only. */
export class LaunchSecrets {
  readonly #secrets = new Map<RunnerId, readonly Secret[]>()

  constructor(events: RunnerEvents) {
    events.subscribe('launch-accepted', ({ order }) =>
      this.#secrets.set(order.runner, Object.values(order.secretEnv)),
    )
    events.subscribe('entry-changed', ({ entry }) => {
      if (!isLive(entry) && entry.cleared) this.#secrets.delete(entry.runner)
    })
  }

  of(runner: RunnerId): readonly Secret[] {
    return this.#secrets.get(runner) ?? []
  }
}
