import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeBeside, writeDurably, writeDurablySync } from '../../platform/durable-file.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'slipway-durable-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

describe.each([
  ['writeDurably', writeDurably],
  ['writeDurablySync', async (path: string, text: string) => writeDurablySync(path, text)],
])('%s', (_, write) => {
  it('puts a file in the place of the old one, for its owner alone, and leaves nothing beside it', async () => {
    const dir = await folder()
    const path = join(dir, 'note')
    await write(path, 'first, and longer')
    await write(path, 'second')
    expect(await readFile(path, 'utf8')).toBe('second')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(dir)).toEqual(['note'])
  })

  it('writes over what a killed process left unfinished', async () => {
    const path = join(await folder(), 'note')
    await writeBeside(path, 'left by a process that was killed')
    await write(path, 'whole')
    expect(await readFile(path, 'utf8')).toBe('whole')
  })

  it('throws what the file system says where the folder is missing', async () => {
    const path = join(await folder(), 'gone', 'note')
    await expect(async () => write(path, 'x')).rejects.toThrow(/ENOENT/)
  })
})

it('a file written beside its place leaves the old one there until it is renamed', async () => {
  const path = join(await folder(), 'note')
  await writeDurably(path, 'old')
  expect(await readFile(await writeBeside(path, 'new'), 'utf8')).toBe('new')
  expect(await readFile(path, 'utf8')).toBe('old')
})
