import { type HostId, hostId, type SourceId, type TemplateKey } from './ids.ts'

/** What one runner takes from a host. Thousandths of a vCPU and MiB are integers, so sums are exact. */
export interface SlotSize {
  readonly cpuMillis: number
  readonly memoryMib: number
}

export const ISOLATIONS = ['runc', 'sysbox'] as const
export type Isolation = (typeof ISOLATIONS)[number]

/** The most runners of one template: one poll can advertise no more slots (limit of the Shipfox API). */
export const CONCURRENCY_MAX = 100_000

/** When an agent asks the registry again: never while present, before each launch, or once older than `ttlMs`. */
export type PullPolicy =
  | { readonly kind: 'if-not-present' }
  | { readonly kind: 'always' }
  | { readonly kind: 'ttl'; readonly ttlMs: number }

/** Which hosts may hold a template. `local` (nothing was assigned) is the host that the hub itself runs on. */
export type Assignment =
  | { readonly kind: 'local' }
  | { readonly kind: 'all' }
  | { readonly kind: 'named'; readonly namesOrTags: readonly string[] }

/** Which sources may use a template: every one unless named. */
export type SourceChoice =
  | { readonly kind: 'all' }
  | { readonly kind: 'named'; readonly ids: readonly SourceId[] }

export interface Template {
  readonly key: TemplateKey
  /** Canonical: lowercase, unique, sorted; 1 to 20. */
  readonly labels: readonly string[]
  readonly image: string
  readonly pull: PullPolicy
  readonly size: SlotSize
  /** Cap on live runners of this template over all hosts. */
  readonly maxConcurrency: number
  /** Runners kept warm even while nothing waits (needs a source that can hold idle runners: Shipfox v2). */
  readonly targetConcurrency: number
  /** Selection cost: cheapest wins. The template's vCPUs unless given. */
  readonly cost: number
  readonly isolation: Isolation
  readonly hosts: Assignment
  /** Cap on live runners of this template on any one host; null = only the host's own cap. */
  readonly perHost: number | null
  /** Plain environment for the container; never secrets. */
  readonly env: Readonly<Record<string, string>>
  /** The agent stops a runner that lives longer; also told to the runner. */
  readonly maxLifetimeMs: number
  /** Grace between SIGTERM and SIGKILL. */
  readonly stopTimeoutMs: number
  readonly sources: SourceChoice
}

/** The name of the host that a hub on one machine starts by itself, and what `hosts` absent stands for. */
export const LOCAL_HOST = hostId('local')

export function isAssigned(template: Template, host: { id: HostId; tags: readonly string[] }): boolean {
  const { hosts } = template
  if (hosts.kind === 'all') return true
  if (hosts.kind === 'local') return host.id === LOCAL_HOST
  return hosts.namesOrTags.some((name) => name === host.id || host.tags.includes(name))
}

export function isOffered(template: Template, source: SourceId): boolean {
  return template.sources.kind === 'all' || template.sources.ids.includes(source)
}
