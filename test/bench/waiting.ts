import { pause } from '../support/eventually.ts'

/** A moment that no pace of polls lines up with. */
export async function randomPause(minMs: number, maxMs: number, signal: AbortSignal): Promise<void> {
  await pause(minMs + Math.random() * (maxMs - minMs), signal)
}

/** `work` on every item, a few at a time, in order. */
export async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
