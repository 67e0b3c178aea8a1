import { isItemCorrupt } from '../model/index.ts'
import type { Log } from '../ports/index.ts'

/**
 * L14: does what can be done about one item of many, unless the item itself can't be read: that is told, nothing of it
 * is touched (unknown is not absent), and the others have their turn.
 */
export async function unlessUnreadable(log: Log, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (!isItemCorrupt(thrown)) throw thrown
    log.error('store.item-unreadable', { problem: thrown.message })
  }
}
