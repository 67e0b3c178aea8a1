import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Assembly, readAssembly } from './template.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** Where the stack's one source is, before a test says where it really is. */
export const SOURCE_URL = 'https://jobs.source.example'
export const RUNNER_URL = 'https://runners.source.example'

/** A source as whoever deploys would name it; every other setting as it comes. */
const CONTEXT = { shipfoxApiUrl: SOURCE_URL, shipfoxRunnerApiUrl: RUNNER_URL }

export interface Synthesized {
  readonly folder: string
  readonly assembly: Assembly
  /** Removes the folder. */
  close(): Promise<void>
}

/** The assembly of a stage, as `npm run synth` makes it, in a folder of its own. */
export async function synthesize(stage: 'dev' | 'prod'): Promise<Synthesized> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-assembly-'))
  const close = () => rm(folder, { recursive: true, force: true })
  try {
    await runApp({ CDK_OUTDIR: folder, CDK_CONTEXT_JSON: JSON.stringify({ stage, ...CONTEXT }) })
    return { folder, assembly: await readAssembly(folder), close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

function runApp(env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, ['bin/cdk.ts'], {
    cwd: REPOSITORY,
    env: { PATH: process.env['PATH'], HOME: tmpdir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`The stacks can't be synthesized:\n${output.slice(-4_000)}`))
    })
  })
}
