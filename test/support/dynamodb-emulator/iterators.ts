import { createRequire } from 'node:module'

interface Closable {
  close(): Promise<void>
}

interface LevelModule {
  readonly AbstractKeyIterator: { readonly prototype: Closable }
  readonly AbstractValueIterator: { readonly prototype: Closable }
}

/** The database below the emulator, as the emulator itself has it. */
export function levelOfEmulator(): LevelModule {
  const { resolve } = createRequire(import.meta.url)
  const level: LevelModule = createRequire(resolve('dynalite'))('abstract-level')
  return level
}

/**
 * The emulator ends an iterator by `return`, which the database's iterators don't have: they have `close`. Without it
 * each query would leave one open for as long as the process lives, with all that it holds.
 */
export function letIteratorsEnd(): void {
  const { AbstractKeyIterator, AbstractValueIterator } = levelOfEmulator()
  for (const { prototype } of [AbstractKeyIterator, AbstractValueIterator]) {
    if ('return' in prototype) continue
    Object.defineProperty(prototype, 'return', {
      configurable: true,
      value(this: Closable) {
        return this.close()
      },
    })
  }
}
