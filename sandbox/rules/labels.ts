/** The one written form of a label set: lower case, no duplicates, sorted. */
export function canonicalLabels(labels: readonly string[]): readonly string[] {
  return [...new Set(labels.map((label) => label.toLowerCase()))].toSorted()
}

/** A key for a canonical label set; a comma can't stand in a label. */
export function labelsKey(labels: readonly string[]): string {
  return labels.join(',')
}

/** Whether what offers `offered` can run what requires `required`: a subset. Both canonical. */
export function serves(offered: readonly string[], required: readonly string[]): boolean {
  return required.every((label) => offered.includes(label))
}
