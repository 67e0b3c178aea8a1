import * as z from 'zod'
import {
  messageOf,
  runnerId,
  sourceId,
  templateKey,
  type RunnerId,
  type RunnerOrigin,
} from '../../core/model/index.ts'
import type { RunnerSpec } from './engine.ts'

/** What an engine keeps with a runner, so that an agent that remembers nothing can take it over. No secret is in it. */
export interface KeptFacts {
  readonly runner: RunnerId
  readonly origin: RunnerOrigin
  readonly startDeadlineMs: number
  readonly maxLifetimeMs: number
  readonly stopTimeoutMs: number
}

const count = z.number().int().nonnegative()

/** A text that `make` turns into something or throws at; zod itself lets such an error through its safe parsing. */
export function checked<T>(make: (text: string) => T): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> {
  return z.string().transform((text, context) => {
    try {
      return make(text)
    } catch (thrown) {
      context.addIssue(messageOf(thrown))
      return z.NEVER
    }
  })
}

/** `origin` as JSON of one's own making: checked as strictly as if it came from outside, since people edit things. */
export const Origin = z.object({
  template: checked(templateKey),
  source: checked(sourceId),
  labels: z.array(z.string()),
  reservation: z.string().nullable(),
  cpuMillis: count,
  memoryMib: count,
})

export const Limits = z.object({ startDeadlineMs: count, maxLifetimeMs: count, stopTimeoutMs: count })

export const RunnerIdText = checked(runnerId)

/** The parts of a spec that are kept, each named, so that nothing new slips in unseen. */
export function keptFacts(spec: RunnerSpec): KeptFacts {
  const { template, source, labels, reservation, cpuMillis, memoryMib } = spec.origin
  return {
    runner: spec.runner,
    origin: { template, source, labels, reservation, cpuMillis, memoryMib },
    startDeadlineMs: spec.startDeadlineMs,
    maxLifetimeMs: spec.maxLifetimeMs,
    stopTimeoutMs: spec.stopTimeoutMs,
  }
}
