import { InvalidArgumentError, Option } from 'commander'
import { SETTINGS_HELP } from '../../config/index.ts'

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    return value
  }
}

export function protocolOption(): Option {
  return new Option('--protocol <generation>', "generation of the sandbox's wire protocol")
    .choices(['v1', 'v2'])
    .default('v2')
}

/** The variables of the environment that match, for the end of a command's help. */
export function settingsHelp(prefixes: readonly string[]): string {
  const rows = SETTINGS_HELP.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)))
  const width = Math.max(...rows.map(({ name }) => name.length))
  const lines = rows.map(
    ({ name, default: fallback, meaning }) => `  ${name.padEnd(width)}  ${meaning} [${fallback}]`,
  )
  return `\nEnvironment:\n${lines.join('\n')}\n`
}
