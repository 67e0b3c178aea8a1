import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What .gitignore keeps out of the repository, and git's own folder. */
const OUTSIDE = new Set(['.git', 'node_modules', '.slipway', 'cdk.out', 'dist', 'coverage'])
const TEXT =
  /(\.(ts|tsx|mts|mjs|cjs|json|jsonc|md|yaml|yml|sh|css|html|txt|toml|env|service)|(^|\/)[^.]+|(^|\/)\.[\w-]+)$/

export type RepositoryFile = { path: string; text: string }

/** Every text file of the repository, by its path with slashes. Folders that don't exist yet are simply not there. */
export function readRepository(): RepositoryFile[] {
  return listFiles('').map((path) => ({
    path,
    text: TEXT.test(path) ? readFileSync(join(root, path), 'utf8') : '',
  }))
}

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !OUTSIDE.has(entry.name) && !entry.name.endsWith('.log'))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? listFiles(path) : [path]
    })
}
