/** A template for each kind of job: a job of a kind fits no other template, and waits for no other's units. */
export function templatesFile(image: string, kinds: readonly string[], more = ''): string {
  const lines = kinds.map((kind) => templateLine(kind, image))
  return `templates:\n${lines.join('\n')}\n${more}`
}

/** One template, as a line of YAML; `more` begins with a comma. */
export function templateLine(kind: string, image: string, more = ', memory: 64MiB'): string {
  return `  ${kind}: { labels: [e2e, ${kind}], image: "${image}", cpu: 0.1, max_concurrency: 50${more} }`
}
