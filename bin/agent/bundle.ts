import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { readVersion } from '../../platform/version.ts'

const ENTRY = fileURLToPath(new URL('main.ts', import.meta.url))

/** The result of bundling. */
export interface AgentBundle {
  readonly bytes: number
  /** Paths of its sources, relative to the root of the repository. */
  readonly inputs: readonly string[]
}

/**
 * Packages that dockerode loads for features that the agent doesn't use: ssh (the agent uses the machine's client),
 * image builds and folder uploads. They are most of dockerode's size; each is replaced by an empty object.
 */
const LEFT_OUT = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs|@balena\/dockerignore)$/

const leaveOut: Plugin = {
  name: 'leave-out',
  setup(bundler) {
    bundler.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }))
    bundler.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** Writes the agent as one file that needs only Node. */
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
    // CommonJS packages import Node's modules with `require`, which ES modules don't have.
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
