import { type Template, templateKey } from '../../core/model/index.ts'

/** A small template that every host and source may use; its cost is its vCPUs, as in a templates file. */
export function template(key: string, parts: Partial<Omit<Template, 'key'>> = {}): Template {
  const size = parts.size ?? { cpuMillis: 1_000, memoryMib: 512 }
  return {
    key: templateKey(key),
    labels: [key],
    image: 'runner:test',
    pull: { kind: 'if-not-present' },
    maxConcurrency: 100,
    targetConcurrency: 0,
    cost: size.cpuMillis / 1_000,
    isolation: 'runc',
    hosts: { kind: 'all' },
    perHost: null,
    env: {},
    maxLifetimeMs: 3_600_000,
    stopTimeoutMs: 10_000,
    sources: { kind: 'all' },
    ...parts,
    size,
  }
}
