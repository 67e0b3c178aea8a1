import { isItemCorrupt, type UnreadableItem } from '../model/index.ts'
import type { Log } from '../ports/index.ts'

/**
 * Runs `work` for one item of many. An item that can't be read is logged and left as it is (unknown is not absent), so
 * that it doesn't stop the work on the others (L14: a damaged item must not block a batch).
 */
export async function unlessUnreadable(log: Log, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (!isItemCorrupt(thrown)) throw thrown
    log.emit({ name: 'store.item-unreadable', reason: thrown.message })
  }
}

/** Logs each item that is stored and can't be read. */
export function logUnreadable(log: Log, items: readonly UnreadableItem[]): void {
  for (const { host, runner, problem } of items)
    log.emit({ name: 'store.item-unreadable', host, runner, reason: problem })
}
