import { type EpochMs, isItemCorrupt, messageOf, type Template } from '../model/index.ts'
import type { Clock, Log, TemplateStore } from '../ports/index.ts'

/** Why there are no templates to plan with. */
export interface TemplatesProblem {
  readonly code: 'templates-missing' | 'templates-unreadable'
  readonly message: string
}

const MISSING: TemplatesProblem = {
  code: 'templates-missing',
  message: 'The hub has no templates yet. Store them with `slipway templates apply FILE`.',
}

/** The templates that a planner uses. */
export interface TemplatesInForce {
  readonly templates: readonly Template[]
  /** Why there are none to plan with; null = there are. */
  readonly problem: TemplatesProblem | null
  /** Reads them again. True: they have changed. */
  refresh(): Promise<boolean>
}

/** Templates that stay the same as long as the process lives. */
export function fixedTemplates(templates: readonly Template[]): TemplatesInForce {
  return { templates, problem: null, refresh: async () => false }
}

type ReadTemplates = Pick<TemplateStore, 'readTemplates' | 'readTemplatesVersion'>

/** The templates in force, as last read from the store: a refresh costs one small read while nothing has changed. */
export class StoredTemplates implements TemplatesInForce {
  readonly #store: ReadTemplates
  readonly #clock: Clock
  readonly #log: Log
  #version: number | null = null
  #templates: readonly Template[] = []
  #problem: TemplatesProblem | null = MISSING
  #read: { readonly at: EpochMs; readonly atMs: number } | null = null

  constructor({ store, clock, log }: { store: ReadTemplates; clock: Clock; log: Log }) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  get templates(): readonly Template[] {
    return this.#templates
  }

  get problem(): TemplatesProblem | null {
    return this.#problem
  }

  /** Reads them again unless that was done within `withinMs`. True: they have changed. */
  async refresh(withinMs = 0): Promise<boolean> {
    if (this.#ageMs() < withinMs) return false
    try {
      const version = await this.#store.readTemplatesVersion()
      const changed = version !== this.#version
      if (changed) await this.#take(version)
      this.#stamp()
      return changed
    } catch (thrown) {
      if (!isItemCorrupt(thrown)) throw thrown
      return this.#cannotRead(thrown)
    }
  }

  #stamp(): void {
    this.#read = { at: this.#clock.now(), atMs: this.#clock.monotonicMs() }
  }

  /** The longer of both clocks: memory outlives a freeze (L9), in which the monotonic clock may stand still. */
  #ageMs(): number {
    if (this.#read === null) return Infinity
    return Math.max(this.#clock.now() - this.#read.at, this.#clock.monotonicMs() - this.#read.atMs)
  }

  async #take(version: number): Promise<void> {
    const current = version === 0 ? null : await this.#store.readTemplates()
    this.#version = current?.version ?? 0
    this.#templates = current?.templates ?? []
    this.#problem = current === null ? MISSING : null
    this.#log.emit({ name: 'templates.in-force', version: this.#version, templates: this.#templates.length })
  }

  /** L14, a damaged item: nothing is planned with templates that may not be the ones in force. */
  #cannotRead(thrown: unknown): boolean {
    const message = `The templates in force can't be read: ${messageOf(thrown)} Apply a file again with \`slipway templates apply FILE\`.`
    const changed = this.#problem?.message !== message
    if (changed) this.#log.emit({ name: 'templates.unreadable', reason: message })
    this.#version = null
    this.#templates = []
    this.#problem = { code: 'templates-unreadable', message }
    this.#stamp()
    return changed
  }
}
