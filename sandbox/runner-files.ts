import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

/** The program first, then the modules that it imports. */
const SOURCES = ['main.ts', 'job.ts', 'outcome.ts', 'settings.ts', 'wire.ts'] as const

/**
 * The demo runner as JavaScript modules for one folder of an image or a machine. Paths are relative; the first one is
 * the program (`node main.mjs`). Stripping types at start would take most of a second in a container with a tenth of a
 * vCPU.
 */
export function demoRunnerFiles(): readonly { path: string; content: string }[] {
  return SOURCES.map((source) => {
    const types = readFileSync(new URL(`runner/${source}`, import.meta.url), 'utf8')
    const content = stripTypeScriptTypes(types).replace(/(from '\.[^']*)\.ts'/g, "$1.mjs'")
    return { path: source.replace(/\.ts$/, '.mjs'), content }
  })
}
