import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runChild } from '../../platform/bootstrap/child.mjs'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'
import { withLock } from '../../platform/bootstrap/lock.mjs'

/** How much of npm's output is kept for an error message. */
const NPM_OUTPUT_MAX_CHARS = 20_000

/**
 * Runs `npm ci` if node_modules does not match package-lock.json. Several processes may call this in one checkout at
 * the same time: one installs, the others wait for it.
 */
export async function ensurePackages({ root, needsDevPackages, print, npm = 'npm' }) {
  const findMissing = async () => missingPackages(...(await readLocks(root)), { needsDevPackages })
  if ((await findMissing()).length === 0) return
  const onWait = (pid) => print(`slipway: waiting for process ${pid}, which is installing the packages`)
  await withLock(join(root, '.slipway', 'packages.lock'), () => install({ root, print, npm, findMissing }), {
    onWait,
  })
}

/**
 * The packages that the lockfile lists and node_modules lacks, according to the file that npm writes at the end of every
 * installation (so after an interrupted one, they are missing). Optional packages are not checked.
 */
export function missingPackages(lock, installed, { needsDevPackages }) {
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && !entry.link && !entry.optional && !entry.devOptional)
    .filter(([, entry]) => needsDevPackages || !entry.dev)
    .filter(([path, entry]) => !isSamePackage(entry, installed.packages[path]))
    .map(([path]) => path)
}

function isSamePackage(wanted, present) {
  if (wanted.version !== present?.version) return false
  return !wanted.integrity || !present.integrity || wanted.integrity === present.integrity
}

async function readLocks(root) {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  try {
    return [lock, JSON.parse(await readFile(join(root, 'node_modules', '.package-lock.json'), 'utf8'))]
  } catch (error) {
    if (error.code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error
    return [lock, { packages: {} }]
  }
}

async function install({ root, print, npm, findMissing }) {
  if ((await findMissing()).length === 0) return
  print('slipway: installing packages (npm ci), which takes a few seconds the first time')
  const startedAtMs = Date.now()
  await runNpm({ root, npm })
  const stillMissing = await findMissing()
  if (stillMissing.length > 0) {
    throw new BootstrapError(
      `npm ci succeeded but left out ${stillMissing.slice(0, 3).join(', ')}. ` +
        "Check npm's `omit` setting, or run `npm ci --include=dev --include=optional` yourself.",
    )
  }
  print(`slipway: packages installed in ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s`)
}

/** No package here needs its install script, so install scripts are disabled. */
async function runNpm({ root, npm }) {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  let output = ''
  const onOutput = (text) => (output = (output + text).slice(-NPM_OUTPUT_MAX_CHARS))
  const { code, signal, sent } = await runChild(npm, args, { cwd: root, onOutput }).catch((cause) => {
    throw new BootstrapError(describeNoNpm(npm, cause), { cause })
  })
  if (sent || signal) throw new BootstrapError('npm ci was interrupted', { signal: sent ?? signal })
  if (code !== 0) {
    throw new BootstrapError(
      `npm ci failed with exit code ${code} in ${root}. Its output:\n\n${output.trim()}`,
    )
  }
}

function describeNoNpm(command, error) {
  return `${command} could not be started (${error.code ?? error.message}). Install npm, which is part of Node, and run this command again.`
}
