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

/** Enough label sets to show how labels are written in this fleet. */
const OFFERED_NAMED_MAX = 8

/** The templates of one label set, best first. */
interface Choice {
  readonly templates: readonly Template[]
  /** How many of them have no free capacity, for the rest of the plan. */
  passed: number
}

/** Places jobs one by one into shared free capacity; caches the templates of each label set. */
export class JobPlacer {
  readonly #free: FreeCapacity
  readonly #templates: readonly Template[]
  readonly #choices = new Map<string, Choice>()

  constructor(free: FreeCapacity, templates: readonly Template[]) {
    this.#free = free
    this.#templates = templates
  }

  /**
   * The cheapest template that provides the labels and has free capacity; null = none has, for the rest of the plan.
   */
  place(source: SourceId, labels: readonly string[]): Placement | null {
    const choice = this.#choice(source, labels)
    for (; choice.passed < choice.templates.length; choice.passed += 1) {
      const template = choice.templates[choice.passed]
      const host = template === undefined ? null : this.#free.place(template)
      if (template !== undefined && host !== null) return { template, host }
    }
    return null
  }

  /** Up to `count` jobs of one label set; fewer = no capacity is left for the others. */
  placeUpTo(count: number, source: SourceId, labels: readonly string[]): readonly Placement[] {
    const placements: Placement[] = []
    while (placements.length < count) {
      const placed = this.place(source, labels)
      if (placed === null) break
      placements.push(placed)
    }
    return placements
  }

  /** Why the preferred template has no capacity for a job that was not placed. */
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

  /** A few label sets that are offered, for the message. */
  #offered(source: SourceId): readonly string[] {
    const offered = this.#templates.filter((template) => isOffered(template, source))
    const more = offered.length - OFFERED_NAMED_MAX
    const named = offered.slice(0, OFFERED_NAMED_MAX).map(({ labels }) => labels.join(','))
    return more > 0 ? [...named, `and ${more} more`] : named
  }
}
