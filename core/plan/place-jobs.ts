import type { HostId, RefusalReason, SourceId, Template } from '../model/index.ts'
import { matchingTemplates } from './choose-template.ts'
import type { Rooms } from './rooms.ts'

export type JobPlacement =
  | { readonly template: Template; readonly host: HostId }
  | { readonly refused: RefusalReason }

/** Places jobs one by one into shared rooms; remembers the template order of each label set it meets. */
export class JobPlacer {
  readonly #rooms: Rooms
  readonly #templates: readonly Template[]
  readonly #matches = new Map<string, readonly Template[]>()

  constructor(rooms: Rooms, templates: readonly Template[]) {
    this.#rooms = rooms
    this.#templates = templates
  }

  /** The cheapest template that provides the labels and has room; otherwise why the preferred one has none. */
  place(source: SourceId, labels: readonly string[]): JobPlacement {
    let first: RefusalReason | null = null
    for (const template of this.#matching(source, labels)) {
      const placement = this.#rooms.place(template)
      if ('host' in placement) return { template, host: placement.host }
      first ??= placement.refused
    }
    return { refused: first ?? { code: 'no-template', known: this.#known(source) } }
  }

  #matching(source: SourceId, labels: readonly string[]): readonly Template[] {
    const key = `${source}\n${labels.join('\n')}`
    const known = this.#matches.get(key)
    if (known !== undefined) return known
    const found = matchingTemplates(this.#templates, source, labels)
    this.#matches.set(key, found)
    return found
  }

  /** A few label sets that are offered, for the sentence that a person reads. */
  #known(source: SourceId): readonly string[] {
    return this.#templates
      .filter((template) => template.sources.kind === 'all' || template.sources.ids.includes(source))
      .slice(0, 8)
      .map((template) => template.labels.join(','))
  }
}
