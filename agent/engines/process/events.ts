import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import type { EngineEvent } from '../engine.ts'
import { RunnerIdText } from '../origin.ts'

/** Watches the folder of marks until the signal aborts. `isOurs` keeps other agents' runners out. */
export async function watchMarks(
  marks: string,
  handlers: { onOpen: () => void; onEvent: (event: EngineEvent) => void },
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const watcher = watch(marks, { signal }, (_, name) => {
    const event = name === null ? null : eventOf(name, existsSync(join(marks, name)))
    if (event !== null) handlers.onEvent(event)
  })
  const closed = once(watcher, 'close')
  handlers.onOpen()
  await closed
}

/** A mark that came or went → what it tells; null for what tells nothing. */
export function eventOf(name: string, exists: boolean): EngineEvent | null {
  const [id = '', kind = ''] = name.split('.')
  const runner = RunnerIdText.safeParse(id)
  if (!runner.success) return null
  if (kind === 'created' && !exists) return { runner: runner.data, kind: 'removed' }
  if ((kind === 'started' || kind === 'exited') && exists) return { runner: runner.data, kind }
  return null
}
