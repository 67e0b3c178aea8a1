import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { pack, type Pack } from 'tar-stream'
import { messageOf, SlipwayError } from '../core/model/index.ts'

/** One thing in an image's file system. Paths are absolute in the image; `source` is a file of this machine. */
export type RootfsEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'text'; readonly path: string; readonly text: string; readonly mode: number }
  | { readonly kind: 'copy'; readonly path: string; readonly source: string; readonly mode: number }

/** A program of this machine and where it goes in the image. */
export interface RootfsProgram {
  readonly source: string
  readonly path: string
}

/** Folders that today's distributions keep below /usr and link to from the root, so that either path works. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
const MERGED_PATH = new RegExp(`^/(${MERGED.join('|')})/`)
const EXECUTABLE = 0o755
/** `ldd` answers in milliseconds. */
const LDD_TIMEOUT_MS = 10_000

/**
 * The entries of a root file system that holds these programs, the libraries that they need, and `extra`. Works on
 * machines with and without merged /usr, since everything is laid out below /usr and linked. Linux only: throws
 * `rootfs-impossible` where there is no `ldd`, or a library is missing.
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

/** Merges /usr, drops repeated paths (the first wins), and adds the folders that are needed. Sorted; pure. */
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
  // A folder sorts before what is in it.
  return [...byPath.values()].toSorted((left, right) => (left.path < right.path ? -1 : 1))
}

/** What `ldd` printed → the paths of the libraries and of the loader. Throws `rootfs-impossible` for a missing one. */
export function parseLdd(output: string): readonly string[] {
  const missing = /^\s*(\S+) => not found/m.exec(output)
  if (missing !== null) throw impossible(`the library ${missing[1]} is not on this machine`)
  return [...output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map((match) => match[1] ?? '')
}

/** The archive of these entries, byte for byte the same for the same content. */
export function packRootfs(entries: readonly RootfsEntry[]): Readable {
  const archive = pack()
  writeEntries(archive, entries).then(
    () => archive.finalize(),
    (thrown: unknown) => archive.destroy(thrown instanceof Error ? thrown : new Error(String(thrown))),
  )
  return Readable.from(archive)
}

/** SHA-256, hex, over paths, modes and contents: a name for the image that changes with what is in it. */
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

/** `ldd` fails for a program that needs no library, and says so. */
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
    `No image can be built from this machine's programs: ${why}. It needs Linux with ldd.`,
    { cause },
  )
}
