import * as z from 'zod'

/** Rules about a few particular files. Each returns what is wrong, one sentence per item. */

export const PackageFile = z.object({
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
})
export type PackageFile = z.infer<typeof PackageFile>

const LockedPackage = z.object({
  resolved: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
})
export const LockFile = z.object({ packages: z.record(z.string(), LockedPackage) })
export type LockFile = z.infer<typeof LockFile>

function allDependencies(packageFile: PackageFile): Record<string, string> {
  return { ...packageFile.dependencies, ...packageFile.devDependencies, ...packageFile.optionalDependencies }
}

/** docs/dependencies.md has one table row per direct dependency, which starts with its name in backquotes. */
export function findUndocumentedDependencies(packageFile: PackageFile, documentation: string): string[] {
  const documented = [...documentation.matchAll(/^\| `([^`]+)` +\| *(.*)$/gm)].map(([, name, rest]) => ({
    name,
    rest,
  }))
  const names = documented.map(({ name }) => name ?? '')
  const used = Object.keys(allDependencies(packageFile))
  return [
    ...used.filter((name) => !names.includes(name)).map((name) => `${name} has no line`),
    ...names.filter((name) => !used.includes(name)).map((name) => `${name} is not a dependency`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} has two lines`),
    ...documented.filter(({ rest }) => !/\w{3}/.test(rest ?? '')).map(({ name }) => `${name} has no reason`),
  ]
}

export function findLooseVersions(packageFile: PackageFile): string[] {
  return Object.entries(allDependencies(packageFile))
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} is not pinned to one version: ${version}`)
}

/** The lockfile must serve any registry, so it names none. */
export function findRegistries(lock: LockFile): string[] {
  return Object.entries(lock.packages)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([path, { resolved }]) => `${path} is tied to ${resolved}`)
}

/** `npm ci` refuses a lockfile that lacks a package which another one names, even one for another platform. */
export function findGaps(lock: LockFile): string[] {
  return Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
      .filter((name) => !placesFor(path, name).some((place) => Object.hasOwn(lock.packages, place)))
      .map((name) => `${path || 'the root'} needs ${name}, which is not locked`),
  )
}

/** Where Node would look for a package that the one at `path` imports, nearest first. */
function placesFor(path: string, name: string): string[] {
  const folders = path === '' ? [] : path.split('/node_modules/')
  const parents = folders.map((_, index) => folders.slice(0, folders.length - index).join('/node_modules/'))
  return [...parents.map((parent) => `${parent}/node_modules/${name}`), `node_modules/${name}`]
}

export type Page = { name: string; text: string }

/** Architecture decisions: `0001-title.md`, each number once, each with a line such as `Status: accepted`. */
export function findUnorderlyDecisions(pages: readonly Page[]): string[] {
  const numbers = pages.map(({ name }) => name.slice(0, 4))
  return [
    ...pages
      .filter(({ name }) => !/^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md$/.test(name))
      .map(({ name }) => `${name} is not named NNNN-title.md`),
    ...pages
      .filter(({ name }, index) => numbers.indexOf(name.slice(0, 4)) !== index)
      .map(({ name }) => `${name} has the number of another decision`),
    ...pages
      .filter(
        ({ text }) =>
          !/^[*_]*Status[*_]*:[*_]*\s*(proposed|accepted|superseded|rejected|deprecated)\b/im.test(text),
      )
      .map(({ name }) => `${name} has no status`),
  ]
}

/** npm's own commands that need no script. */
const NPM_COMMANDS = new Set(['ci', 'install', 'run', 'exec', 'audit', 'view', 'ls', 'pack', 'version'])

/** Every `npm run NAME`, `npm start` and `npm test` of a page must be a script. */
export function findUnknownCommands({ name, text }: Page, packageFile: PackageFile): string[] {
  const commands = [...text.matchAll(/\bnpm (?:run )?([a-z][\w:-]*)/g)]
  return commands
    .filter(([command, script = '']) => command.startsWith('npm run ') || !NPM_COMMANDS.has(script))
    .filter(([, script = '']) => !Object.hasOwn(packageFile.scripts, script))
    .map(([command]) => `${name} says \`${command}\`, which package.json doesn't have`)
}
