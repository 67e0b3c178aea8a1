import * as z from 'zod'
import type { EngineRunner } from '../engine.ts'
import { containerName, readLabels, type Labels } from './labels.ts'

const LabelMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {})

/** A row of the engine's list: enough to tell whose it is and whether it changed. */
export const ContainerRow = z.object({
  Id: z.string(),
  Names: z
    .array(z.string())
    .nullish()
    .transform((names) => names ?? []),
  Labels: LabelMap,
  State: z.string(),
  /** Seconds. */
  Created: z.number().default(0),
})
export type ContainerRow = z.infer<typeof ContainerRow>

/** What an inspect tells, as far as we read it. */
export const InspectedContainer = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: z.string(),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Error: z.string(),
    StartedAt: z.string(),
    FinishedAt: z.string(),
  }),
  Config: z.object({ Labels: LabelMap }),
  HostConfig: z.object({ NanoCpus: z.number().default(0), Memory: z.number().default(0) }),
})
export type InspectedContainer = z.infer<typeof InspectedContainer>

/** The engine's word for a container's state → ours. Paused and restarting ones hold their room like running ones. */
export function stateOf(status: string): EngineRunner['state'] {
  switch (status) {
    case 'created':
      return 'created'
    case 'running':
    case 'paused':
    case 'restarting':
      return 'running'
    case 'exited':
      return 'exited'
    default:
      return 'dead'
  }
}

/**
 * One of our containers as the port shows it. `unreadable`: its labels or its name are not what this agent writes,
 * in a few words.
 */
export function readContainer(container: InspectedContainer): EngineRunner | { readonly unreadable: string } {
  const kept = readOwnLabels(container.Config.Labels, [container.Name])
  if ('unreadable' in kept) return kept
  const { State } = container
  const state = stateOf(State.Status)
  const ended = state === 'exited' || state === 'dead'
  const startedAt = engineTime(State.StartedAt)
  return {
    ...kept,
    state,
    createdAt: engineTime(container.Created) ?? 0,
    startedAt,
    finishedAt: ended ? engineTime(State.FinishedAt) : null,
    // The engine says 0 for what never ran.
    exitCode: ended && startedAt !== null ? State.ExitCode : null,
    oomKilled: State.OOMKilled,
    error: State.Error === '' ? null : State.Error,
  }
}

/**
 * What the engine's list alone tells of a container that it can't be asked about. One that has run counts as running,
 * for how it ended is not known: it holds its room until it can be asked.
 */
export function readRow(row: ContainerRow): EngineRunner | { readonly unreadable: string } {
  const kept = readOwnLabels(row.Labels, row.Names)
  if ('unreadable' in kept) return kept
  const createdAt = row.Created * 1000
  const started = stateOf(row.State) !== 'created'
  return {
    ...kept,
    state: started ? 'running' : 'created',
    createdAt,
    startedAt: started ? createdAt : null,
    finishedAt: null,
    exitCode: null,
    oomKilled: false,
    error: null,
  }
}

/** The labels, provided that the container bears the name that belongs to them: two can't be the same runner. */
function readOwnLabels(labels: Labels, names: readonly string[]): ReturnType<typeof readLabels> {
  const kept = readLabels(labels)
  if ('unreadable' in kept || names.includes(`/${containerName(kept.runner)}`)) return kept
  return { unreadable: `it is named ${names.join(', ')}, not ${containerName(kept.runner)}` }
}

/** RFC 3339 with nanoseconds → epoch ms. Year 1 is the engine's "never". */
export function engineTime(text: string): number | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms <= 0 ? null : ms
}
