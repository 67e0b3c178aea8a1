import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { endLike, runChild } from '../../platform/bootstrap/child.mjs'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'
import { describeNodeFailure, findNode, isNewEnough, refuseWindows } from './node.mjs'
import { ensurePackages } from './packages.mjs'

const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url))

/** Messages of the bootstrap go to stderr, so that the command's stdout can be piped. */
const print = (line) => process.stderr.write(`${line}\n`)

/**
 * Runs a TypeScript entry point of this repository after installing missing packages and finding a suitable Node. The
 * process ends with the exit code or the signal of the entry point.
 */
export async function launch({ entry, args, needsDevPackages, root = repositoryRoot }) {
  try {
    refuseWindows(process.platform)
    await ensurePackages({ root, needsDevPackages, print })
    await handOver({ root, entry: join(root, entry), args })
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error
    if (error.signal) return endLike({ code: null, signal: error.signal })
    print(`slipway: ${error.message}`)
    process.exitCode = 1
  }
}

async function handOver({ root, entry, args }) {
  if (isNewEnough(process.versions.node)) {
    process.argv.splice(1, Infinity, entry, ...args)
    await import(pathToFileURL(entry).href)
    return
  }
  const node = await findNode({ root, platform: process.platform, arch: process.arch })
  const ending = await runChild(node, [entry, ...args]).catch((cause) => {
    throw new BootstrapError(describeNodeFailure(node, cause), { cause })
  })
  endLike(ending)
}
