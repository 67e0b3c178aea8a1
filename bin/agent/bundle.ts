import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { readVersion } from '../../platform/version.ts'

const ENTRY = fileURLToPath(new URL('main.ts', import.meta.url))

/** What the bundle consists of. */
export interface AgentBundle {
  readonly bytes: number
  /** Its sources, by their paths from the root of the repository. */
  readonly inputs: readonly string[]
}

/**
 * Packages that dockerode loads for what the agent never asks of it: ssh (the agent has the machine's own), image
 * builds and uploads of folders. They are most of its weight, and an empty object stands in for each.
 */
const LEFT_OUT = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs|@balena\/dockerignore)$/

const leaveOut: Plugin = {
  name: 'leave-out',
  setup(bundler) {
    bundler.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }))
    bundler.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** Writes the agent as one file that runs on Node alone. */
export async function bundleAgent(outfile: string): Promise<AgentBundle> {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    minify: true,
    legalComments: 'none',
    define: { SLIPWAY_VERSION: JSON.stringify(readVersion()) },
    // CommonJS packages ask for Node's own modules by `require`, which an ES module lacks.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    plugins: [leaveOut],
    metafile: true,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  return { bytes: output?.bytes ?? 0, inputs: Object.keys(output?.inputs ?? {}) }
}
