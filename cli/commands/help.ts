import { SETTINGS_HELP } from '../../config/index.ts'

/** The variables with these prefixes, as the last section of a command's help. */
export function settingsHelp(prefixes: readonly string[]): string {
  const rows = SETTINGS_HELP.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)))
  const width = Math.max(...rows.map(({ name }) => name.length))
  const lines = rows.map(
    ({ name, default: fallback, meaning }) => `  ${name.padEnd(width)}  ${meaning} [${fallback}]`,
  )
  return `\nEnvironment:\n${lines.join('\n')}\n`
}
