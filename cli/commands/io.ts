import type { Env } from '../../config/index.ts'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { SourceError } from '../../core/ports/index.ts'

/** A Docker Engine that answers, or what a person can do to have one. */
export type DockerFound =
  | { readonly state: 'ready'; readonly host: string }
  | { readonly state: 'unavailable'; readonly reason: string; readonly howTo: string }

/** What a command has of the outside; the `slipway` program gives it. */
export interface CommandIo {
  readonly env: Env
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly stdin: NodeJS.ReadStream
  /** Asks a yes-or-no question; null where there is no terminal to ask on. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
  /** Finds Docker Engine, or starts it; asks first on a terminal unless `assumeYes`. */
  readonly findDocker: (options: { assumeYes: boolean; say: (line: string) => void }) => Promise<DockerFound>
  /** Aborts at the first shutdown signal. */
  readonly shutdown: AbortSignal
}

/** What was thrown on purpose speaks for itself; anything else is a bug, and its place matters. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof SlipwayError || thrown instanceof SourceError) return thrown.message
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)
}
