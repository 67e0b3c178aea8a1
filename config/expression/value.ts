/** What an expression takes and returns: the plain data of YAML. */
export type Value = string | number | boolean | null | readonly Value[] | ValueMap
export type ValueMap = ReadonlyMap<string, Value>

export function isMap(value: Value): value is ValueMap {
  return value instanceof Map
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** The kind of a value, as messages name it. */
export function kindOf(value: Value): string {
  if (value === null) return 'nothing'
  if (isMap(value)) return 'a map'
  if (isList(value)) return 'a list'
  if (typeof value === 'string') return 'text'
  return typeof value === 'number' ? 'a number' : 'true or false'
}

export function sameValue(left: Value, right: Value): boolean {
  if (isMap(left)) return isMap(right) && sameMap(left, right)
  if (isList(left)) return isList(right) && sameList(left, right)
  return left === right
}

function sameList(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => sameValue(item, right[index] ?? null))
}

function sameMap(left: ValueMap, right: ValueMap): boolean {
  if (left.size !== right.size) return false
  return [...left].every(([key, value]) => right.has(key) && sameValue(value, right.get(key) ?? null))
}

/** One for each value, nested ones included, and one more per 64 characters of text; stops counting at `limit`. */
export function sizeOf(value: Value, limit: number): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / 64)
  if (!isMap(value) && !isList(value)) return 1
  let size = 1
  for (const item of value.values()) {
    size += sizeOf(item, limit - size)
    if (size >= limit) break
  }
  return size
}
