import type { Template } from '../../core/model/index.ts'
import { formatDuration, formatMemory } from '../quantities.ts'
import { formatHosts, formatPull } from './render.ts'

/** The fields that are compared, by their names in the templates file, each as text. */
const FIELDS: Readonly<Record<string, (template: Template) => string>> = {
  labels: ({ labels }) => labels.join(', '),
  image: ({ image }) => image,
  pull: ({ pull }) => formatPull(pull),
  cpu: ({ size }) => String(size.cpuMillis / 1000),
  memory: ({ size }) => formatMemory(size.memoryMib),
  max_concurrency: ({ maxConcurrency }) => String(maxConcurrency),
  target_concurrency: ({ targetConcurrency }) => String(targetConcurrency),
  cost: ({ cost }) => String(cost),
  isolation: ({ isolation }) => isolation,
  hosts: ({ hosts }) => formatHosts(hosts),
  per_host: ({ perHost }) => (perHost === null ? 'no cap' : String(perHost)),
  max_lifetime: ({ maxLifetimeMs }) => formatDuration(maxLifetimeMs),
  stop_timeout: ({ stopTimeoutMs }) => formatDuration(stopTimeoutMs),
  sources: ({ sources }) => (sources.kind === 'all' ? 'all' : sources.ids.join(', ')),
}

/** The changes when `after` replaces `before`, one line per template: `+` added, `-` removed, `~` changed. */
export function describeDifference(
  before: readonly Template[],
  after: readonly Template[],
): readonly string[] {
  const old = new Map<string, Template>(before.map((template) => [template.key, template]))
  const kept = new Set<string>(after.map(({ key }) => key))
  return [
    ...before.filter(({ key }) => !kept.has(key)).map(({ key }) => `- ${key}: is removed`),
    ...after.flatMap((template) => {
      const known = old.get(template.key)
      if (known === undefined) return [`+ ${template.key}: is new (${formatNew(template)})`]
      const changes = changesOf(known, template)
      return changes.length === 0 ? [] : [`~ ${template.key}: ${changes.join('; ')}`]
    }),
  ]
}

function formatNew({ labels, image, size, maxConcurrency }: Template): string {
  const { cpuMillis, memoryMib } = size
  return `[${labels.join(', ')}], ${image}, ${cpuMillis / 1000} vCPU, ${formatMemory(memoryMib)}, up to ${maxConcurrency}`
}

function changesOf(before: Template, after: Template): readonly string[] {
  const fields = Object.entries(FIELDS).flatMap(([name, format]) => {
    const [was, is] = [format(before), format(after)]
    return was === is ? [] : [`${name} ${was} → ${is}`]
  })
  return [...fields, ...changesOfEnv(before.env, after.env)]
}

/** Names only: values are long and may contain secrets that should not be there. */
function changesOfEnv(before: Template['env'], after: Template['env']): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  return names.flatMap((name) => {
    if (before[name] === after[name]) return []
    if (before[name] === undefined) return [`env ${name} is new`]
    return [`env ${name} ${after[name] === undefined ? 'is removed' : 'has a new value'}`]
  })
}
