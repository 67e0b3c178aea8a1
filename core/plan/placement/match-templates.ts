import { isOffered, labelsMatch, type SourceId, type Template } from '../../model/index.ts'
import { compareTexts } from '../world.ts'

/** Templates that provide every required label, best first: cheapest, then fewest extra labels, then key. */
export function matchingTemplates(
  templates: readonly Template[],
  source: SourceId,
  required: readonly string[],
): readonly Template[] {
  return templates
    .filter((template) => isOffered(template, source) && labelsMatch(required, new Set(template.labels)))
    .toSorted(byPreference)
}

function byPreference(left: Template, right: Template): number {
  return (
    left.cost - right.cost || left.labels.length - right.labels.length || compareTexts(left.key, right.key)
  )
}
