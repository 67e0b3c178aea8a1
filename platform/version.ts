import { readFileSync } from 'node:fs'

/** The version in package.json, which is the name of a build from sources. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version }: { version?: unknown } = JSON.parse(text)
  return String(version)
}
