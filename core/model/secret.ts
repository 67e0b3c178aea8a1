/** What stands in the place of a secret, wherever one is left out. */
export const HIDDEN_SECRET = '[secret]'

/** A value that cannot print: `reveal()` is the only way to it, so every use can be found by its name. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN_SECRET
  }

  toJSON(): string {
    return HIDDEN_SECRET
  }

  /** Node's `util.inspect`, and so `console.log`, asks for this symbol; naming it needs no import. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN_SECRET
  }
}
