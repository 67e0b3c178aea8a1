/** Where the engine's address comes from: a variable that the user set, or the usual sockets. */
export type DockerChoice = {
  from: 'SHIPFOX_PROVISIONER_DOCKER_HOST' | 'DOCKER_HOST' | 'default'
  hosts: string[]
}

/**
 * The result of `GET /_ping`. `absent`: no socket file; `refused`: nothing listens; `denied`: this user may not
 * connect; `silent`: no answer in time; `unusable`: another error or status; `unchecked`: an SSH address.
 */
export type DockerAnswer = 'ok' | 'absent' | 'refused' | 'denied' | 'silent' | 'unusable' | 'unchecked'

export type DockerFacts = {
  choice: DockerChoice
  answers: { host: string; answer: DockerAnswer; detail: string }[]
  platform: NodeJS.Platform
  isRoot: boolean
  /** systemd is the init system, so it starts the engine. */
  hasSystemd: boolean
  hasApt: boolean
  hasEngine: boolean
  /** Pid of the engine from its pid file, if that process is alive. */
  enginePid: number | undefined
}

export type StartAction = { do: 'start'; installs: boolean; by: 'systemctl' | 'dockerd' }
export type DockerAction =
  | { do: 'use'; host: string }
  | { do: 'await'; enginePid: number }
  | StartAction
  | { do: 'refuse'; reason: string; howTo: string }

/** Decides how to get a working Docker Engine. Pure: every fact about the machine is an input. */
export function planDocker(facts: DockerFacts): DockerAction {
  const usable = facts.answers.find(({ answer }) => answer === 'ok' || answer === 'unchecked')
  if (usable) return { do: 'use', host: usable.host }
  if (facts.choice.from !== 'default') return refuseChosenHost(facts)
  const broken = facts.answers.find(({ answer }) => ['denied', 'silent', 'unusable'].includes(answer))
  if (broken?.answer === 'denied') return refuseUser(broken.host)
  if (broken) return refuseBroken(broken)
  if (facts.enginePid !== undefined) return { do: 'await', enginePid: facts.enginePid }
  return planStart(facts)
}

function planStart(facts: DockerFacts): DockerAction {
  if (facts.platform !== 'linux') return refusePlatform(facts.platform)
  const by = facts.hasSystemd ? 'systemctl' : 'dockerd'
  if (facts.isRoot && facts.hasEngine) return { do: 'start', installs: false, by }
  if (facts.isRoot && facts.hasApt) return { do: 'start', installs: true, by }
  return refuse(whatIsWrong(facts), `${commandsFor(facts)} Then run this command again.`)
}

function refuseChosenHost({ choice, answers }: DockerFacts): DockerAction {
  const { host, detail } = answers[0] ?? { host: choice.hosts.join(', '), detail: 'no answer' }
  return refuse(
    `${choice.from} is ${host}, but no Docker Engine answers there (${detail}).`,
    `Start that engine, or correct or unset ${choice.from}. Nothing is installed while it is set.`,
  )
}

function refuseUser(host: string): DockerAction {
  return refuse(
    `A Docker Engine runs at ${host}, but this user may not use it.`,
    'Run `sudo usermod -aG docker "$USER"` and log in again, or run this command as root.',
  )
}

function refuseBroken({ host, detail }: { host: string; detail: string }): DockerAction {
  return refuse(
    `Something listens at ${host} but doesn't answer as a Docker Engine (${detail}).`,
    'Check its log (`journalctl -u docker`) and restart it, then run this command again. Slipway does not start a second engine.',
  )
}

function refusePlatform(platform: NodeJS.Platform): DockerAction {
  const howTo =
    platform === 'darwin' || platform === 'win32'
      ? 'Start Docker Desktop, or set DOCKER_HOST to the address of an engine.'
      : 'Set DOCKER_HOST to the address of an engine on a Linux machine.'
  return refuse('No Docker Engine answers on this machine.', howTo)
}

function refuse(reason: string, howTo: string): DockerAction {
  return { do: 'refuse', reason, howTo }
}

function whatIsWrong({ hasEngine }: DockerFacts): string {
  return hasEngine ? 'Docker Engine is installed but not running.' : 'Docker Engine is not installed.'
}

function commandsFor({ hasEngine, hasApt, hasSystemd, isRoot }: DockerFacts): string {
  const sudo = isRoot ? '' : 'sudo '
  const start = hasSystemd ? `${sudo}systemctl start docker` : `${sudo}dockerd`
  if (hasEngine) return `Start it with \`${start}\`.`
  if (hasApt) {
    return `Install and start it with \`${sudo}apt-get install docker.io iptables\` and \`${start}\`.`
  }
  return 'Install it for this system (see https://docs.docker.com/engine/install/) and start it.'
}

/** What a start will do, as a statement; with a "?" it is the question to the user. */
export function describeStart({ installs, by }: StartAction): string {
  const start = by === 'systemctl' ? 'start its service' : 'start dockerd, which keeps running afterwards'
  return installs
    ? `Docker Engine is not installed: install the package docker.io with apt-get and ${start}`
    : `Docker Engine is not running: ${start}`
}
