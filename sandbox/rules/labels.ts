/** The canonical form of a label set: lower case, no duplicates, sorted. */
export function canonicalLabels(labels: readonly string[]): readonly string[] {
  return [...new Set(labels.map((label) => label.toLowerCase()))].toSorted()
}

/** A key for a canonical label set; labels can't contain a comma. */
export function labelsKey(labels: readonly string[]): string {
  return labels.join(',')
}

/** Whether a runner with labels `offered` can run a job that requires `required`. Both must be canonical. */
export function serves(offered: readonly string[], required: readonly string[]): boolean {
  return required.every((label) => offered.includes(label))
}
