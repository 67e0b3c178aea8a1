import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { PRETENDED } from './intrinsics.ts'
import { type Synthesized, synthesize } from './synthesize.ts'

const BUNDLE_BYTES_MAX = 500_000
/** Of which the middle one is told. */
const LOADS = 5

let synthesized: Synthesized

beforeAll(async () => {
  synthesized = await synthesize('prod')
})
afterAll(() => synthesized.close())

interface Load {
  readonly importMs: number
  /** From the process's start to its end. */
  readonly processMs: number
}

/** A fresh process that loads a module: the middle of several. */
async function load(path: string, env: Readonly<Record<string, string>>): Promise<Load> {
  const script = `const began = performance.now(); await import(${JSON.stringify(path)}); console.log(performance.now() - began); process.exit()`
  const loads: Load[] = []
  for (let count = 0; count < LOADS; count += 1) {
    const beganMs = performance.now()
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env,
    })
    loads.push({ importMs: Number(stdout), processMs: performance.now() - beganMs })
  }
  const [middle] = loads.toSorted((left, right) => left.processMs - right.processMs).slice(LOADS / 2)
  if (middle === undefined) throw new Error('Nothing was loaded.')
  return middle
}

describe("the functions' bundles", () => {
  it('have one module each, of at most 500 KB', async () => {
    const { functions } = synthesized.assembly
    expect(functions).toHaveLength(5)
    for (const { id, assetFolder } of functions) {
      expect([id, await readdir(assetFolder)]).toEqual([id, ['index.mjs']])
      const { size } = await stat(join(assetFolder, 'index.mjs'))
      expect({ id, size, fits: size <= BUNDLE_BYTES_MAX }).toEqual({ id, size, fits: true })
    }
  })

  it('load; how long that takes is told as a ratio to an empty handler', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-empty-handler-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const empty = join(folder, 'index.mjs')
    await writeFile(empty, 'export const handler = async () => {}\n')
    const base = await load(empty, {})
    const sdk = { AWS_REGION: PRETENDED.region, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
    for (const { id, assetFolder, env } of synthesized.assembly.functions) {
      const { importMs, processMs } = await load(join(assetFolder, 'index.mjs'), { ...sdk, ...env })
      expect(importMs).toBeGreaterThan(0)
      const { size } = await stat(join(assetFolder, 'index.mjs'))
      const ratio = (of: keyof Load, ms: number): string => `${(ms / base[of]).toFixed(1)} ×`
      const words = `${(size / 1_000).toFixed(0)} KB, cold import ${importMs.toFixed(0)} ms, ${ratio('importMs', importMs)} an empty handler's; with the start of Node ${ratio('processMs', processMs)}`
      process.stderr.write(`${id.replace(/Function\w+$/, '')}: ${words}\n`)
    }
  })
})
