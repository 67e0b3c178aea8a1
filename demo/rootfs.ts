import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { pack, type Pack } from 'tar-stream'
import { messageOf, SlipwayError } from '../core/model/index.ts'

/** One entry of an image's file system. `path` is absolute in the image; `source` is a file of this machine. */
export type RootfsEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'text'; readonly path: string; readonly text: string; readonly mode: number }
  | { readonly kind: 'copy'; readonly path: string; readonly source: string; readonly mode: number }

/** A program of this machine and its path in the image. */
export interface RootfsProgram {
  readonly source: string
  readonly path: string
}

/** Folders that modern distributions have below /usr with links from the root, so that both paths work. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
const MERGED_PATH = new RegExp(`^/(${MERGED.join('|')})/`)
const EXECUTABLE = 0o755
/** `ldd` answers in milliseconds. */
const LDD_TIMEOUT_MS = 10_000

/**
 * The entries of a root file system with these programs, their libraries, and `extra`. Works on machines with and
 * without merged /usr, because everything is placed below /usr and linked. Linux only: throws `rootfs-impossible` if
 * there is no `ldd` or a library is missing.
 */
export async function programsRootfs(
  programs: readonly RootfsProgram[],
  extra: readonly RootfsEntry[] = [],
): Promise<readonly RootfsEntry[]> {
  const libraries = await Promise.all(programs.map(({ source }) => readLibraries(source)))
  const copies = [...programs, ...libraries.flat().map((path) => ({ source: path, path }))]
  return layOut([
    ...copies.map(({ source, path }) => ({ kind: 'copy' as const, source, path, mode: EXECUTABLE })),
    ...extra,
  ])
}

/** Merges /usr, drops duplicate paths (the first one wins), and adds the parent folders. Sorted; pure. */
export function layOut(entries: readonly RootfsEntry[]): readonly RootfsEntry[] {
  const byPath = new Map<string, RootfsEntry>()
  for (const folder of MERGED)
    byPath.set(`/${folder}`, { kind: 'link', path: `/${folder}`, to: `usr/${folder}` })
  for (const folder of MERGED) addFolders(byPath, `/usr/${folder}/any`)
  addFolders(byPath, '/tmp/any')
  byPath.set('/tmp', { kind: 'directory', path: '/tmp', mode: 0o1777 })
  for (const entry of entries) {
    const path = entry.path.replace(MERGED_PATH, '/usr/$1/')
    addFolders(byPath, path)
    if (!byPath.has(path)) byPath.set(path, { ...entry, path })
  }
  // In this order a folder comes before its contents.
  return [...byPath.values()].toSorted((left, right) => (left.path < right.path ? -1 : 1))
}

/** Parses the output of `ldd` to the paths of libraries and loader. Throws `rootfs-impossible` if one is missing. */
export function parseLdd(output: string): readonly string[] {
  const missing = /^\s*(\S+) => not found/m.exec(output)
  if (missing !== null) throw impossible(`the library ${missing[1]} is not on this machine`)
  return [...output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map((match) => match[1] ?? '')
}

/** A tar archive of these entries; the same content gives the same bytes. */
export function packRootfs(entries: readonly RootfsEntry[]): Readable {
  const archive = pack()
  writeEntries(archive, entries).then(
    () => archive.finalize(),
    (thrown: unknown) => archive.destroy(thrown instanceof Error ? thrown : new Error(String(thrown))),
  )
  return Readable.from(archive)
}

/** SHA-256, hex, of paths, modes and contents: used as the image's tag. */
export async function hashRootfs(entries: readonly RootfsEntry[]): Promise<string> {
  const hash = createHash('sha256')
  for (const entry of entries) {
    hash.update(JSON.stringify({ ...entry, source: undefined }))
    if (entry.kind !== 'copy') continue
    for await (const chunk of createReadStream(entry.source)) hash.update(Buffer.from(chunk))
  }
  return hash.digest('hex')
}

async function writeEntries(archive: Pack, entries: readonly RootfsEntry[]): Promise<void> {
  for (const entry of entries) {
    const header = { name: entry.path.slice(1), mtime: new Date(0) }
    switch (entry.kind) {
      case 'directory':
        archive.entry({ ...header, type: 'directory', mode: entry.mode })
        break
      case 'link':
        archive.entry({ ...header, type: 'symlink', linkname: entry.to })
        break
      case 'text':
        archive.entry({ ...header, mode: entry.mode }, entry.text)
        break
      case 'copy': {
        const { size } = await stat(entry.source)
        await pipeline(createReadStream(entry.source), archive.entry({ ...header, mode: entry.mode, size }))
        break
      }
    }
  }
}

async function readLibraries(program: string): Promise<readonly string[]> {
  try {
    const { stdout } = await promisify(execFile)('ldd', [program], { timeout: LDD_TIMEOUT_MS })
    return parseLdd(stdout)
  } catch (thrown) {
    if (thrown instanceof SlipwayError) throw thrown
    if (isStatic(thrown)) return []
    throw impossible(`ldd failed for ${program}: ${messageOf(thrown)}`, thrown)
  }
}

/** `ldd` fails for a statically linked program, with one of these messages. */
function isStatic(thrown: unknown): boolean {
  return /not a (dynamic executable|valid dynamic program)|statically linked/i.test(
    `${messageOf(thrown)} ${stderrOf(thrown)}`,
  )
}

function stderrOf(thrown: unknown): string {
  return thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : ''
}

function addFolders(byPath: Map<string, RootfsEntry>, path: string): void {
  const parts = path.split('/').slice(1, -1)
  for (const depth of parts.keys()) {
    const folder = `/${parts.slice(0, depth + 1).join('/')}`
    if (!byPath.has(folder)) byPath.set(folder, { kind: 'directory', path: folder, mode: 0o755 })
  }
}

function impossible(why: string, cause?: unknown): SlipwayError {
  return new SlipwayError(
    'rootfs-impossible',
    `The demo image cannot be built from programs of this machine: ${why}. This requires Linux with ldd.`,
    { cause },
  )
}
