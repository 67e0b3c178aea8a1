import {
  type HostId,
  isOffered,
  type RefusalReason,
  type SourceId,
  type Template,
} from '../../model/index.ts'
import { matchingTemplates } from './match-templates.ts'
import type { FreeCapacity } from './free-capacity.ts'

export interface Placement {
  readonly template: Template
  readonly host: HostId
}

/** Enough label sets to see how they are written here. */
const OFFERED_SAID_MAX = 8

/** The templates of one label set, best first. */
interface Choice {
  readonly templates: readonly Template[]
  /** How many of them turned out to have no room: they have none for the rest of the plan. */
  passed: number
}

/** Places jobs one by one into shared rooms; remembers the templates of each label set that it meets. */
export class JobPlacer {
  readonly #free: FreeCapacity
  readonly #templates: readonly Template[]
  readonly #choices = new Map<string, Choice>()

  constructor(free: FreeCapacity, templates: readonly Template[]) {
    this.#free = free
    this.#templates = templates
  }

  /** The cheapest template that provides the labels and has room; null = none has, for the rest of the plan. */
  place(source: SourceId, labels: readonly string[]): Placement | null {
    const choice = this.#choice(source, labels)
    for (; choice.passed < choice.templates.length; choice.passed += 1) {
      const template = choice.templates[choice.passed]
      const host = template === undefined ? null : this.#free.place(template)
      if (template !== undefined && host !== null) return { template, host }
    }
    return null
  }

  /** Up to `count` jobs of one label set; fewer = the rest has no room. */
  placeUpTo(count: number, source: SourceId, labels: readonly string[]): readonly Placement[] {
    const placements: Placement[] = []
    while (placements.length < count) {
      const placed = this.place(source, labels)
      if (placed === null) break
      placements.push(placed)
    }
    return placements
  }

  /** Why the preferred template has no room for a job that was not placed. */
  explain(source: SourceId, labels: readonly string[]): RefusalReason {
    const [preferred] = this.#choice(source, labels).templates
    return preferred === undefined
      ? { code: 'no-template', known: this.#offered(source) }
      : this.#free.explain(preferred)
  }

  #choice(source: SourceId, labels: readonly string[]): Choice {
    const key = `${source}\n${labels.join('\n')}`
    const known = this.#choices.get(key)
    if (known !== undefined) return known
    const choice = { templates: matchingTemplates(this.#templates, source, labels), passed: 0 }
    this.#choices.set(key, choice)
    return choice
  }

  /** A few label sets that are offered, for the sentence that a person reads. */
  #offered(source: SourceId): readonly string[] {
    const offered = this.#templates.filter((template) => isOffered(template, source))
    const more = offered.length - OFFERED_SAID_MAX
    const said = offered.slice(0, OFFERED_SAID_MAX).map(({ labels }) => labels.join(','))
    return more > 0 ? [...said, `and ${more} more`] : said
  }
}
