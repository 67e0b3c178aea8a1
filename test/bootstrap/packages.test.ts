import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensurePackages, missingPackages } from '../../bin/bootstrap/packages.mjs'
import type { PackageLock } from '../../bin/bootstrap/packages.mjs'

const LOCK: PackageLock = {
  packages: {
    '': { version: '1.0.0' },
    'node_modules/ws': { version: '8.0.0', integrity: 'sha512-a' },
    'node_modules/vitest': { version: '4.0.0', dev: true },
    'node_modules/darwin-only': { version: '1.0.0', optional: true },
    'node_modules/ws/node_modules/b': { version: '2.0.0' },
  },
}
const EVERYTHING = { needsDevPackages: true }

function lockWithout(...paths: string[]): PackageLock {
  return {
    packages: Object.fromEntries(Object.entries(LOCK.packages).filter(([path]) => !paths.includes(path))),
  }
}

describe('the packages that are missing', () => {
  it('are none when npm left out optional packages only', () => {
    expect(missingPackages(LOCK, lockWithout('', 'node_modules/darwin-only'), EVERYTHING)).toEqual([])
  })

  it('are those that are absent, of another version or of other content', () => {
    const ws = (version: string, integrity: string) => ({
      packages: { ...LOCK.packages, 'node_modules/ws': { version, integrity } },
    })
    expect(missingPackages(LOCK, lockWithout('node_modules/ws'), EVERYTHING)).toEqual(['node_modules/ws'])
    expect(missingPackages(LOCK, ws('8.0.1', 'sha512-a'), EVERYTHING)).toEqual(['node_modules/ws'])
    expect(missingPackages(LOCK, ws('8.0.0', 'sha512-b'), EVERYTHING)).toEqual(['node_modules/ws'])
    expect(missingPackages(LOCK, ws('8.0.0', 'sha512-a'), EVERYTHING)).toEqual([])
  })

  it('include development packages only for those who need them', () => {
    const installed = lockWithout('node_modules/vitest')
    expect(missingPackages(LOCK, installed, EVERYTHING)).toEqual(['node_modules/vitest'])
    expect(missingPackages(LOCK, installed, { needsDevPackages: false })).toEqual([])
  })
})

describe('making sure of the packages', () => {
  let root: string
  let said: string[]
  const at = (name: string) => join(root, name)

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'slipway-packages-'))
    said = []
    await writeFile(at('package-lock.json'), JSON.stringify(LOCK))
    await putNpm('mkdir -p node_modules; sleep 0.3; cp package-lock.json node_modules/.package-lock.json')
  })
  afterEach(async () => rm(root, { recursive: true }))

  /** A stand-in for npm that writes its calls down first. */
  async function putNpm(body: string): Promise<void> {
    await writeFile(at('npm'), `#!/bin/sh\necho "$*" >> calls\n${body}\n`, { mode: 0o755 })
  }
  const calls = async () => (await readFile(at('calls'), 'utf8').catch(() => '')).split('\n').filter(Boolean)
  const ensure = async (npm = at('npm')) =>
    ensurePackages({ root, needsDevPackages: true, print: (line) => said.push(line), npm })

  it('installs them once, without install scripts, and says so', async () => {
    await ensure()
    await ensure()
    expect(await calls()).toEqual([expect.stringMatching(/^ci --ignore-scripts/)])
    expect(said.join('\n')).toMatch(/installing packages \(npm ci\)[\s\S]*installed in/)
  })

  it('says and does nothing when they are there', async () => {
    await mkdir(at('node_modules'))
    await writeFile(at('node_modules/.package-lock.json'), JSON.stringify(LOCK))
    await ensure()
    expect([said, await calls()]).toEqual([[], []])
  })

  it('installs again when the lockfile changed or an installation was cut short', async () => {
    await ensure()
    await writeFile(at('package-lock.json'), JSON.stringify(LOCK).replace('8.0.0', '8.0.1'))
    await ensure()
    await writeFile(at('node_modules/.package-lock.json'), '{"packages": {"node_mod')
    await ensure()
    expect(await calls()).toHaveLength(3)
  })

  it('installs once for several starters at the same time', async () => {
    await Promise.all([ensure(), ensure(), ensure()])
    expect(await calls()).toHaveLength(1)
  })

  it("shows npm's output when it fails, and only then", async () => {
    await putNpm('echo "npm error the registry is away" >&2; exit 7')
    await expect(ensure()).rejects.toThrow(/exit code 7[\s\S]*the registry is away/)
  })

  it('names what npm left out although it was content', async () => {
    await putNpm('mkdir -p node_modules; echo \'{"packages":{}}\' > node_modules/.package-lock.json')
    await expect(ensure()).rejects.toThrow('left out node_modules/ws')
  })

  it('says how to get npm where there is none', async () => {
    await expect(ensure(at('no-such-npm'))).rejects.toThrow(/could not be started \(ENOENT\)\. Install npm/)
  })
})
