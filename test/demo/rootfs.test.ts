import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashRootfs, layOut, packRootfs, parseLdd, type RootfsEntry } from '../../demo/rootfs.ts'

const file = (path: string, content = path): RootfsEntry => ({
  kind: 'text',
  path,
  text: content,
  mode: 0o644,
})

async function unpack(entries: readonly RootfsEntry[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const archive = extract()
  packRootfs(entries).pipe(archive)
  for await (const entry of archive) {
    const { name, type, linkname } = entry.header
    const content = await buffer(entry)
    found.set(name, type === 'file' ? content.toString() : `${type} ${linkname ?? ''}`)
  }
  return found
}

describe('libraries of a program', () => {
  it('are read from what ldd says, the loader included and the kernel left out', () => {
    const output = `	linux-vdso.so.1 (0x00007ffd2b5f2000)
	libdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f1f0a6e1000)
	libstdc++.so.6 => /usr/lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f1f0a400000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f1f0a6ee000)
`
    expect(parseLdd(output)).toEqual([
      '/lib/x86_64-linux-gnu/libdl.so.2',
      '/usr/lib/x86_64-linux-gnu/libstdc++.so.6',
      '/lib64/ld-linux-x86-64.so.2',
    ])
    expect(parseLdd('	statically linked\n')).toEqual([])
  })

  it('a missing one is an error that names it', () => {
    expect(() => parseLdd('	libfoo.so.1 => not found\n')).toThrow(/libfoo\.so\.1/)
  })
})

describe('root file system', () => {
  it('has one place for /lib and /usr/lib, so that either path leads to each library', async () => {
    const entries = layOut([
      file('/lib/x/a.so'),
      file('/usr/lib/x/b.so'),
      file('/lib64/ld.so'),
      file('/bin/sh'),
    ])
    const found = await unpack(entries)
    expect(found.get('lib')).toBe('symlink usr/lib')
    expect(found.get('lib64')).toBe('symlink usr/lib64')
    expect([...found.keys()].filter((path) => path.startsWith('lib/'))).toEqual([])
    for (const path of ['usr/lib/x/a.so', 'usr/lib/x/b.so', 'usr/lib64/ld.so', 'usr/bin/sh']) {
      expect(found.has(path)).toBe(true)
    }
  })

  it('keeps the first of two that land on the same path', async () => {
    const found = await unpack(layOut([file('/lib/a.so', 'first'), file('/usr/lib/a.so', 'second')]))
    expect(found.get('usr/lib/a.so')).toBe('first')
  })

  it('lists every folder before what is in it', () => {
    const paths = layOut([file('/opt/a/b/c'), file('/etc/passwd')]).map(({ path }) => path)
    for (const path of paths) {
      const parent = path.slice(0, path.lastIndexOf('/'))
      expect(parent === '' || paths.indexOf(parent) < paths.indexOf(path)).toBe(true)
    }
  })

  describe('with a program of this machine', () => {
    let folder = ''
    const program = (source = 'x', mode = 0o755): RootfsEntry => ({
      kind: 'copy',
      path: '/bin/x',
      source: join(folder, source),
      mode,
    })

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'slipway-rootfs-'))
      await writeFile(join(folder, 'x'), 'program')
    })
    afterAll(() => rm(folder, { recursive: true }))

    it('holds its content, and is the same archive each time', async () => {
      const archives = await Promise.all([1, 2].map(() => buffer(packRootfs(layOut([program()])))))
      const [one, two] = archives.map((archive) => createHash('sha256').update(archive).digest('hex'))
      expect(one).toBe(two)
      expect((await unpack(layOut([program()]))).get('usr/bin/x')).toBe('program')
    })

    it('has another name when anything in it changes, but not when it lies elsewhere on the machine', async () => {
      const before = await hashRootfs(layOut([program()]))
      await writeFile(join(folder, 'elsewhere'), 'program')
      expect(await hashRootfs(layOut([program('elsewhere')]))).toBe(before)
      await writeFile(join(folder, 'x'), 'another')
      expect(await hashRootfs(layOut([program()]))).not.toBe(before)
      expect(await hashRootfs(layOut([program('elsewhere', 0o700)]))).not.toBe(before)
    })

    it('breaks the archive off with an error when a program vanishes', async () => {
      await expect(buffer(packRootfs(layOut([program('gone')])))).rejects.toThrow(/ENOENT/)
    })
  })
})
