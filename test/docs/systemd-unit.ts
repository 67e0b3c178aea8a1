/** The settings of a systemd unit, by section; a key may stand several times. Comments and empty lines don't count. */
export type Unit = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/** Throws at a line that is none of a unit. */
export function parseUnit(text: string): Unit {
  const unit = new Map<string, Map<string, string[]>>()
  let section: Map<string, string[]> | undefined
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || /^[#;]/.test(line)) continue
    const title = /^\[([A-Z]\w+)\]$/.exec(line)?.[1]
    const [, key, value] = /^([A-Z]\w*)=(.+)$/.exec(line) ?? []
    if (title !== undefined) {
      section = unit.get(title) ?? new Map()
      unit.set(title, section)
    } else if (section !== undefined && key !== undefined && value !== undefined) {
      section.set(key, [...(section.get(key) ?? []), value])
    } else {
      throw new Error(`line ${index + 1} is not a line of a unit: ${line}`)
    }
  }
  return unit
}
