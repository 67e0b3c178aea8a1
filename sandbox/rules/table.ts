/** A row of a table: immutable, replaced as a whole. */
export type Row = { readonly id: string }

/** The new value of one row of one table; null = deleted. */
export type RowChange = readonly [table: string, id: string, row: Row | null]

/** The rows with the same key, in the order in which they got it. */
export class Index<R extends Row> {
  readonly #keyOf: (row: R) => string | null
  readonly #rows = new Map<string, Map<string, R>>()

  constructor(keyOf: (row: R) => string | null) {
    this.#keyOf = keyOf
  }

  move(before: R | undefined, after: R | undefined): void {
    const oldKey = before === undefined ? null : this.#keyOf(before)
    const newKey = after === undefined ? null : this.#keyOf(after)
    if (before !== undefined && oldKey !== null && oldKey !== newKey) this.#remove(oldKey, before.id)
    if (after !== undefined && newKey !== null) this.#group(newKey).set(after.id, after)
  }

  keys(): Iterable<string> {
    return this.#rows.keys()
  }

  size(key: string): number {
    return this.#rows.get(key)?.size ?? 0
  }

  all(key: string): Iterable<R> {
    return this.#rows.get(key)?.values() ?? []
  }

  /** The first row with this key. */
  first(key: string): R | undefined {
    return this.#rows.get(key)?.values().next().value
  }

  #group(key: string): Map<string, R> {
    const group = this.#rows.get(key) ?? new Map<string, R>()
    this.#rows.set(key, group)
    return group
  }

  #remove(key: string, id: string): void {
    const group = this.#rows.get(key)
    group?.delete(id)
    if (group?.size === 0) this.#rows.delete(key)
  }
}

/** A table as the journal uses it, with rows of any type. */
export type StoredTable = {
  readonly name: string
  values(): Iterable<Row>
  restore(row: Row): void
  drop(id: string): void
}

/** A restored row has its table's type, because the journal's checksum and version prove that this code wrote it. */
function isRowOf<R extends Row>(_table: Table<R>, _row: Row): _row is R {
  return true
}

/** Rows by id, with indexes that are updated on every change. */
export class Table<R extends Row> {
  readonly name: string
  readonly #rows = new Map<string, R>()
  readonly #indexes: Index<R>[] = []
  readonly #changed: (change: RowChange) => void

  constructor(name: string, changed: (change: RowChange) => void) {
    this.name = name
    this.#changed = changed
  }

  /** Adds an index; rows with key null are not indexed. Must be called before the first `put`. */
  indexedBy(keyOf: (row: R) => string | null): Index<R> {
    const index = new Index(keyOf)
    this.#indexes.push(index)
    return index
  }

  get(id: string): R | undefined {
    return this.#rows.get(id)
  }

  values(): Iterable<R> {
    return this.#rows.values()
  }

  get size(): number {
    return this.#rows.size
  }

  put(row: R): void {
    this.hold(row)
    this.#changed([this.name, row.id, row])
  }

  /** Puts a row without recording a change: for loading, and for data that may be lost in a restart. */
  hold(row: R): void {
    const before = this.#rows.get(row.id)
    this.#rows.set(row.id, row)
    for (const index of this.#indexes) index.move(before, row)
  }

  delete(id: string): void {
    this.drop(id)
    this.#changed([this.name, id, null])
  }

  restore(row: Row): void {
    if (isRowOf(this, row)) this.hold(row)
  }

  /** Deletes a row without recording a change. */
  drop(id: string): void {
    const before = this.#rows.get(id)
    if (before === undefined) return
    this.#rows.delete(id)
    for (const index of this.#indexes) index.move(before, undefined)
  }
}
