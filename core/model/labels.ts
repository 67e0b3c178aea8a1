/** A label as sources spell it: lowercase, `^[a-z0-9][a-z0-9._-]*$`, at most 128 characters. */
export const LABEL_PATTERN = /^[a-z0-9][a-z0-9._-]{0,127}$/
/** The most labels that one template, job or report may carry (limit of the Shipfox wire). */
export const LABELS_MAX = 20

/** Lowercased, de-duplicated, sorted: the form in which label sets compare as text. */
export function canonicalLabels(labels: readonly string[]): readonly string[] {
  return [...new Set(labels.map((label) => label.toLowerCase()))].toSorted()
}

/** True when everything that a job requires is offered. Both sides canonical. */
export function labelsMatch(required: readonly string[], offered: ReadonlySet<string>): boolean {
  return required.every((label) => offered.has(label))
}
