import type { Env } from '../../config/index.ts'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'

/** A Docker Engine that answers, or why there is none and how to get one. */
export type DockerFound =
  | { readonly state: 'ready'; readonly host: string }
  | { readonly state: 'unavailable'; readonly reason: string; readonly howTo: string }

/** Environment, streams and signals that the `slipway` program passes to a command. */
export interface CommandIo {
  readonly env: Env
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly stdin: NodeJS.ReadStream
  /** Asks a yes-or-no question; null = there is no terminal to ask on. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
  /** Finds or starts Docker Engine. On a terminal it asks before it starts one, unless `assumeYes`. */
  readonly findDocker: (options: { assumeYes: boolean; say: (line: string) => void }) => Promise<DockerFound>
  /** Aborts at the first shutdown signal. */
  readonly shutdown: AbortSignal
}

/** The message of an expected error; the stack of anything else, because that is a bug. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof SlipwayError || thrown instanceof SourceError) return thrown.message
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)
}
