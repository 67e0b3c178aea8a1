import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

/** The program first; the rest is what it imports. */
const SOURCES = ['main.ts', 'job.ts', 'outcome.ts', 'settings.ts', 'wire.ts'] as const

/**
 * The demo runner as plain JavaScript modules, to be put beside each other into an image or a folder: paths are
 * relative, the first is the program (`node main.mjs`). Stripping types at start would cost a container with a
 * tenth of a CPU most of a second.
 */
export function demoRunnerFiles(): readonly { path: string; content: string }[] {
  return SOURCES.map((source) => {
    const types = readFileSync(new URL(`runner/${source}`, import.meta.url), 'utf8')
    const content = stripTypeScriptTypes(types).replace(/(from '\.[^']*)\.ts'/g, "$1.mjs'")
    return { path: source.replace(/\.ts$/, '.mjs'), content }
  })
}
