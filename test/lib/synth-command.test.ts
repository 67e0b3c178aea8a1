import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const BUNDLE_MAX_BYTES = 500_000
/** An import statement of anything that is not Node's own. */
const IMPORT = /(?:^|[;}\n])import\s*(?:[\w$*{][^;"']*?from\s*)?"(?!node:)(?<specifier>[^"]+)"/g

/** `npm run synth` with these arguments, on the Node that is there and without a network. */
async function synth(...args: string[]): Promise<{ code: number; output: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-synth-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const [, ...command] = scripts['synth']!.split(' ')
  const nowhere = 'http://127.0.0.1:9'
  const env = { ...process.env, HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere, CDK_DISABLE_CLI_TELEMETRY: 'true' }
  const run = promisify(execFile)(process.execPath, [...command, '--output', folder, ...args], {
    cwd: root,
    env,
  })
  const { code, stdout, stderr } = await run.then(
    (done) => ({ ...done, code: 0 }),
    (failed: { code: number; stdout: string; stderr: string }) => failed,
  )
  return { code, output: stdout + stderr, folder }
}

describe('npm run synth', () => {
  it('writes an assembly whose bundles are small, hold no source map, and need nothing beside them', async () => {
    const { code, output, folder } = await synth()
    expect([code, output]).toEqual([0, expect.stringContaining('no source')])
    const assets = (await readdir(folder)).filter((name) => name.startsWith('asset.'))
    expect(assets).toHaveLength(5)
    for (const asset of assets) {
      expect(await readdir(join(folder, asset))).toEqual(['index.mjs'])
      const bundle = join(folder, asset, 'index.mjs')
      expect((await stat(bundle)).size).toBeLessThanOrEqual(BUNDLE_MAX_BYTES)
      const code = await readFile(bundle, 'utf8')
      expect(code).not.toContain('sourceMappingURL')
      expect([...code.matchAll(IMPORT)].map(({ groups }) => groups?.['specifier'])).toEqual([])
      expect(code).toMatch(/export\s*\{[^}]*\bas handler\b[^}]*\}/)
    }
  })

  it('says in a few words what is wrong with the settings', async () => {
    const { code, output } = await synth('-c', 'shipfoxApiUrl=api.example.com')
    expect(code).not.toBe(0)
    expect(output).toContain('sources.0.apiUrl: expected an https URL such as https://api.example.com')
    expect(output).not.toContain('    at ')
  })
})
