/**
 * The one error that Slipway throws on purpose. `code` is stable and may be matched on; `message` says what
 * happened, where, and what to do about it, and never carries a secret.
 */
export class SlipwayError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'SlipwayError'
    this.code = code
  }
}

/** Whether a store reported that an item exists and can't be read. */
export function isItemCorrupt(thrown: unknown): thrown is SlipwayError {
  return thrown instanceof SlipwayError && thrown.code === 'store-item-corrupt'
}

/** Guards the end of an exhaustive switch: the compiler proves it unreachable, and a wrong cast still throws. */
export function unreachable(value: never): never {
  throw new SlipwayError(
    'unreachable',
    `Unexpected value ${JSON.stringify(value)}: this is a bug in Slipway.`,
  )
}

/** The text of anything thrown, for messages and recorded reasons. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
