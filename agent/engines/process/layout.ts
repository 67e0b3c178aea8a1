import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { RunnerId } from '../../../core/model/index.ts'

/** Enough that two agents on one machine never share a name. */
const HASH_CHARS = 16

/** Where things are in the engine's folder. */
export class Layout {
  /** One folder per runner, by its id. */
  readonly runners: string
  /**
   * Empty files, one per thing that happened to a runner of this agent, so that a single watcher sees it all. Only
   * hints: the truth is in `runners`.
   */
  readonly marks: string

  constructor(dir: string, owner: { readonly install: string; readonly host: string }) {
    this.runners = join(dir, 'runners')
    const ownerHash = createHash('sha256').update(`${owner.install}\0${owner.host}`).digest('hex')
    this.marks = join(dir, 'marks', ownerHash.slice(0, HASH_CHARS))
  }

  folder(runner: RunnerId): string {
    return join(this.runners, runner)
  }

  mark(runner: RunnerId, kind: MarkKind): string {
    return join(this.marks, `${runner}.${kind}`)
  }
}

/** `created` is there as long as the runner is: its end tells of the removal. */
export type MarkKind = 'created' | 'started' | 'exited'

/** Within a runner's folder. */
export const FILES = {
  spec: 'spec.json',
  /** Made once, before the runner is started: whoever finds it must not start the runner again. */
  claim: 'start.claim',
  started: 'started.json',
  exit: 'exit.json',
  log: 'output.log',
  shimLog: 'shim.log',
  work: 'work',
} as const
