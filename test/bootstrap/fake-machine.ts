import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DockerPlaces } from '../../cli/setup/docker-facts.ts'

/**
 * A machine in a folder: its own PATH with an `apt-get` and, once that has "installed" it, a `dockerd` that answers
 * pings on the folder's socket. Every call is written down in `calls`.
 */
export type FakeMachine = {
  places: DockerPlaces
  env: Record<string, string>
  /** Where a test may put a program of its own. */
  binFolder: string
  calls: () => string[]
  /** Puts a `dockerd` there. `broken` ends at once with a complaint in its log. */
  addEngine: (kind: 'good' | 'broken') => Promise<void>
  /** The next so many calls of apt-get find its lock held. */
  holdAptLock: (times: number) => Promise<void>
  remove: () => Promise<void>
}

export async function createFakeMachine(): Promise<FakeMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-machine-'))
  const at = (name: string) => join(folder, name)
  const places: DockerPlaces = {
    socket: at('docker.sock'),
    pidFile: at('docker.pid'),
    systemdFolder: at('systemd'),
    engineLog: at('log/dockerd.log'),
    lockFolder: at('docker.lock'),
    systemFolders: [],
  }
  await mkdir(at('bin'))
  await writeFile(at('calls'), '')
  await writeFile(at('engine.mjs'), ENGINE)
  await writeFile(at('bin/good-dockerd'), engineCommand(at('engine.mjs')), { mode: 0o755 })
  await writeFile(at('bin/apt-get'), APT, { mode: 0o755 })
  const env = { PATH: `${at('bin')}:/usr/bin:/bin`, SHIPFOX_PROVISIONER_TOKEN: 'not-for-the-engine' }
  const calls = () => readFileSync(at('calls'), 'utf8').split('\n').filter(Boolean)
  return {
    places,
    env,
    binFolder: at('bin'),
    calls,
    addEngine: async (kind) => {
      const text = kind === 'good' ? await readFile(at('bin/good-dockerd'), 'utf8') : BROKEN_ENGINE
      await writeFile(at('bin/dockerd'), text, { mode: 0o755 })
    },
    holdAptLock: async (times) => writeFile(at('apt-lock'), 'x'.repeat(times)),
    remove: async () => {
      if (existsSync(places.pidFile)) kill(Number(readFileSync(places.pidFile, 'utf8')))
      await rm(folder, { recursive: true })
    },
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Answers pings after a moment, like an engine that restores its containers first. */
const ENGINE = `
import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const at = (name) => new URL(name, import.meta.url).pathname
const secrets = Object.keys(process.env).filter((name) => name.includes('TOKEN'))
appendFileSync(at('calls'), ['dockerd', ...secrets].join(' ') + '\\n')
writeFileSync(at('docker.pid'), String(process.pid))
rmSync(at('docker.sock'), { force: true })
setTimeout(() => createServer((request, response) => response.end('OK')).listen(at('docker.sock')), 300)
setTimeout(() => process.exit(), 120_000) // should the test that started it be killed
`

/** The engine's process must be called dockerd, as the pid file is believed only then. */
function engineCommand(script: string): string {
  return `#!/bin/sh\nexec '${process.execPath}' '${script}' dockerd\n`
}

const BROKEN_ENGINE =
  '#!/bin/sh\necho dockerd >> "$MACHINE/calls"\necho "failed to mount overlay" >&2\nexit 1\n'

/** Knows docker.io only after an update, as a fresh container image does. */
const APT = `#!/bin/sh
MACHINE=$(dirname "$0")/..
echo "apt-get $*" >> "$MACHINE/calls"
if [ -s "$MACHINE/apt-lock" ]; then
  sed -i 's/^x//' "$MACHINE/apt-lock"
  echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt-get)' >&2
  exit 100
fi
case "$1" in
update) touch "$MACHINE/lists" ;;
install)
  if [ ! -e "$MACHINE/lists" ]; then echo 'E: Unable to locate package docker.io' >&2; exit 100; fi
  cp "$MACHINE/bin/good-dockerd" "$MACHINE/bin/dockerd" ;;
esac
`
