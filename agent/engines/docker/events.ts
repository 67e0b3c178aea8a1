import type Docker from 'dockerode'
import * as z from 'zod'
import type { EngineEvent } from '../engine.ts'
import { RunnerIdText } from '../origin.ts'
import { readLines } from './lines.ts'
import { ownershipFilter, RUNNER_LABEL, type Ownership } from './labels.ts'

const KINDS: Readonly<Record<string, EngineEvent['kind']>> = {
  start: 'started',
  die: 'exited',
  oom: 'oom',
  destroy: 'removed',
}

const Message = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.object({ [RUNNER_LABEL]: RunnerIdText }) }),
})

/**
 * Subscribes to what happens to our containers, from `sinceMs` by the engine's clock. The engine sends its answer's
 * head before it has subscribed; what happens in between is in its replay.
 */
export async function openEvents(
  docker: Docker,
  owner: Ownership,
  sinceMs: number,
  signal: AbortSignal,
): Promise<AsyncIterable<unknown>> {
  return docker.getEvents({
    since: Math.floor(sinceMs / 1000),
    filters: { type: ['container'], event: Object.keys(KINDS), label: ownershipFilter(owner) },
    abortSignal: signal,
  })
}

/** One line of the stream → an event; null for what is none of ours. */
export function parseEvent(line: string): EngineEvent | null {
  const message = Message.safeParse(JSON.parse(line))
  if (!message.success) return null
  const kind = KINDS[message.data.Action]
  return kind === undefined ? null : { runner: message.data.Actor.Attributes[RUNNER_LABEL], kind }
}

/** Passes on events until the stream ends; throws when it breaks. */
export async function followEvents(
  stream: AsyncIterable<unknown>,
  onEvent: (event: EngineEvent) => void,
): Promise<void> {
  for await (const line of readLines(stream)) {
    const event = parseEvent(line)
    if (event !== null) onEvent(event)
  }
}
