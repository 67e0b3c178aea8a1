import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { demoRunnerFiles } from '../sandbox/runner-files.ts'

/** The demo runner as a program of this machine, for the process engine; its files are written to `folder`. */
export function demoRunnerProgram(folder: string): () => { file: string; args: readonly string[] } {
  const files = demoRunnerFiles().map(({ path, content }) => ({
    path: join(resolve(folder), 'program', path),
    content,
  }))
  let isWritten = false
  return () => {
    if (!isWritten) {
      for (const { path, content } of files) {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, content)
      }
      isWritten = true
    }
    return { file: process.execPath, args: files.slice(0, 1).map(({ path }) => path) }
  }
}
