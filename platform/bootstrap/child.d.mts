import type { SpawnOptions } from 'node:child_process'

/** How a program ended, and the last signal that this process received while it ran. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null; sent: NodeJS.Signals | null }
export type ChildOptions = SpawnOptions & { onOutput?: (text: string) => void }

export function runChild(command: string, args: readonly string[], options?: ChildOptions): Promise<Ending>
export function endLike(ending: Pick<Ending, 'code' | 'signal'>): void
export function isForegroundStat(stat: string): boolean
