import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { pingDocker } from './docker-ping.ts'
import type { DockerChoice, DockerFacts } from './docker-plan.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** The paths that the setup reads or writes. Tests put all of them into a temporary folder. */
export type DockerPlaces = {
  socket: string
  pidFile: string
  /** Exists exactly when systemd is the init system, see sd_booted(3). */
  systemdFolder: string
  engineLog: string
  lockFolder: string
  /** Folders of system programs that PATH may lack, as after `su` without a login. */
  systemFolders: readonly string[]
}

export const MACHINE_PLACES: DockerPlaces = {
  socket: '/var/run/docker.sock',
  pidFile: '/var/run/docker.pid',
  systemdFolder: '/run/systemd/system',
  engineLog: '/var/log/slipway-dockerd.log',
  lockFolder: '/run/slipway-docker.lock',
  systemFolders: ['/usr/local/sbin', '/usr/sbin', '/sbin'],
}

/** The engine's address: the Docker provisioner's variable, else DOCKER_HOST, else the usual sockets. */
export function chooseDocker(env: Env, places: DockerPlaces): DockerChoice {
  for (const from of ['SHIPFOX_PROVISIONER_DOCKER_HOST', 'DOCKER_HOST'] as const) {
    const host = env[from]
    if (host) return { from, hosts: [host] }
  }
  const ofThisUser = [
    ...(env['XDG_RUNTIME_DIR'] ? [join(env['XDG_RUNTIME_DIR'], 'docker.sock')] : []), // rootless engine
    ...(env['HOME'] ? [join(env['HOME'], '.docker', 'run', 'docker.sock')] : []), // Docker Desktop
  ]
  return { from: 'default', hosts: [places.socket, ...ofThisUser].map((path) => `unix://${path}`) }
}

/** PATH and the few variables that a system program needs: `env` has tokens, which a long-lived engine must not get. */
export function systemEnv(env: Env, places: DockerPlaces): Env {
  const kept = Object.entries(env).filter(([name]) =>
    /^(HOME|LANG|TMPDIR|(http|https|no)_proxy)$/i.test(name),
  )
  const folders = [env['PATH'] ?? '', ...places.systemFolders].filter((folder) => folder !== '')
  return { ...Object.fromEntries(kept), PATH: folders.join(delimiter) }
}

export async function gatherDockerFacts(env: Env, places: DockerPlaces): Promise<DockerFacts> {
  const choice = chooseDocker(env, places)
  const { PATH } = systemEnv(env, places)
  const answers = await Promise.all(
    choice.hosts.map(async (host) => ({ host, ...(await pingDocker(host, env)) })),
  )
  return {
    choice,
    answers,
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    hasSystemd: await exists(places.systemdFolder, constants.F_OK),
    hasApt: await isOnPath('apt-get', PATH),
    hasEngine: await isOnPath('dockerd', PATH),
    enginePid: await readLivingPid(places.pidFile),
  }
}

async function isOnPath(program: string, searchPath = ''): Promise<boolean> {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '')
  const found = await Promise.all(folders.map((folder) => exists(join(folder, program), constants.X_OK)))
  return found.includes(true)
}

async function exists(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function readLivingPid(pidFile: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
  return Number.isInteger(pid) && (await isEngine(pid)) ? pid : undefined
}

/** The pid file of a killed engine may remain, and another program may have its pid now. */
async function isEngine(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.includes('dockerd')
}
