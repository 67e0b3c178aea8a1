import * as z from 'zod'
import type { HostId, RunnerId } from '../../../core/model/index.ts'
import { checked, Limits, Origin, RunnerIdText, type KeptFacts } from '../origin.ts'

/** The owner of containers: an engine touches only containers with both labels. */
export interface Ownership {
  /** The agent's installation on this machine. */
  readonly install: string
  readonly host: HostId
}

const INSTALL_LABEL = 'slipway.install'
const HOST_LABEL = 'slipway.host'
export const RUNNER_LABEL = 'slipway.runner'
const ORIGIN_LABEL = 'slipway.origin'
const LIMITS_LABEL = 'slipway.limits'

export type Labels = Readonly<Record<string, string>>

/** The deterministic name, under which a create that got no answer is found again. */
export function containerName(runner: RunnerId): string {
  return `slipway-${runner}`
}

export function writeLabels(owner: Ownership, facts: KeptFacts): Labels {
  const { startDeadlineMs, maxLifetimeMs, stopTimeoutMs } = facts
  return {
    [INSTALL_LABEL]: owner.install,
    [HOST_LABEL]: owner.host,
    [RUNNER_LABEL]: facts.runner,
    [ORIGIN_LABEL]: JSON.stringify(facts.origin),
    [LIMITS_LABEL]: JSON.stringify({ startDeadlineMs, maxLifetimeMs, stopTimeoutMs }),
  }
}

export function isOwned(owner: Ownership, labels: Labels): boolean {
  return labels[INSTALL_LABEL] === owner.install && labels[HOST_LABEL] === owner.host
}

/** As the engine's list and event filters want them. */
export function ownershipFilter(owner: Ownership): string[] {
  return [`${INSTALL_LABEL}=${owner.install}`, `${HOST_LABEL}=${owner.host}`]
}

const json = checked((text): unknown => JSON.parse(text))

const KeptLabels = z.object({
  [RUNNER_LABEL]: RunnerIdText,
  [ORIGIN_LABEL]: json.pipe(Origin),
  [LIMITS_LABEL]: json.pipe(Limits),
})

/** Reads what `writeLabels` wrote; otherwise returns what is wrong, in a few words. */
export function readLabels(labels: Labels): KeptFacts | { readonly unreadable: string } {
  const kept = KeptLabels.safeParse(labels)
  if (!kept.success) return { unreadable: z.prettifyError(kept.error) }
  return { runner: kept.data[RUNNER_LABEL], origin: kept.data[ORIGIN_LABEL], ...kept.data[LIMITS_LABEL] }
}
