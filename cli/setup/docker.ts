import { MACHINE_PLACES, gatherDockerFacts } from './docker-facts.ts'
import type { DockerPlaces, Env } from './docker-facts.ts'
import { describeStart, planDocker } from './docker-plan.ts'
import type { DockerAction, StartAction } from './docker-plan.ts'
import { START_TIMEOUTS, awaitEngine, installEngine, startDocker } from './docker-start.ts'
import type { StartSettings, StartTimeouts } from './docker-start.ts'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'
import { withLock } from '../../platform/bootstrap/lock.mjs'

export type EnsureDockerInput = {
  env: Env
  isTTY: boolean
  /** Asks the person at the terminal; called only with `isTTY` and without `assumeYes`. */
  ask: (question: string) => Promise<boolean>
  print: (line: string) => void
  assumeYes?: boolean
  places?: DockerPlaces
  timeouts?: StartTimeouts
}

export type DockerState =
  | { state: 'ready'; host: string; startedPid?: number }
  | { state: 'unavailable'; reason: string; howTo: string }

/**
 * Finds a Docker Engine that answers, and where none is installed or running starts one: as root on a Debian-like
 * Linux by itself, elsewhere by saying what to do. Never throws for what the machine lacks, only when a signal
 * cut an installation short (BootstrapError with that `signal`).
 */
export async function ensureDocker(input: EnsureDockerInput): Promise<DockerState> {
  const { env, print, places = MACHINE_PLACES, timeouts = START_TIMEOUTS } = input
  const settings: StartSettings = { env, places, print, timeouts }
  const action = planDocker(await gatherDockerFacts(env, places))
  if (action.do === 'start' && !(await mayStart(action, input))) {
    return { state: 'unavailable', reason: 'Docker Engine was not started.', howTo: insteadOf(action) }
  }
  try {
    return action.do === 'start' ? await startAlone(settings) : await settle(action, settings)
  } catch (error) {
    return asUnavailable(error)
  }
}

async function mayStart(
  action: StartAction,
  { isTTY, ask, print, assumeYes }: EnsureDockerInput,
): Promise<boolean> {
  const what = describeStart(action)
  if (isTTY && assumeYes !== true) return ask(`${what}?`)
  print(what)
  return true
}

/** Plans once more under the lock: a process that held it before may have started the engine meanwhile. */
async function startAlone(settings: StartSettings): Promise<DockerState> {
  const { env, places, print } = settings
  const onWait = (pid: number) => print(`waiting for process ${pid}, which starts the Docker Engine`)
  const work = async () => settle(planDocker(await gatherDockerFacts(env, places)), settings)
  return withLock(places.lockFolder, work, { onWait })
}

async function settle(action: DockerAction, settings: StartSettings): Promise<DockerState> {
  const host = `unix://${settings.places.socket}`
  switch (action.do) {
    case 'use':
      return { state: 'ready', host: action.host }
    case 'refuse':
      return { state: 'unavailable', reason: action.reason, howTo: action.howTo }
    case 'await':
      settings.print(`waiting for the Docker Engine that is starting (process ${action.enginePid})`)
      await awaitEngine(host, settings, async () => undefined)
      return { state: 'ready', host }
    case 'start': {
      if (action.installs) return settleAfterInstall(settings)
      const startedPid = await startDocker(action.by, settings)
      if (startedPid === undefined) return { state: 'ready', host }
      settings.print(
        `dockerd runs as process ${startedPid} and stays; its log is ${settings.places.engineLog}`,
      )
      return { state: 'ready', host, startedPid }
    }
  }
}

/** The package starts the engine itself where it finds a way to, so what is left to do is planned afresh. */
async function settleAfterInstall(settings: StartSettings): Promise<DockerState> {
  await installEngine(settings)
  const action = planDocker(await gatherDockerFacts(settings.env, settings.places))
  if (action.do === 'start' && action.installs) {
    throw new BootstrapError('apt-get installed docker.io, but there is still no program `dockerd`.')
  }
  return settle(action, settings)
}

function insteadOf({ installs, by }: StartAction): string {
  const start = by === 'systemctl' ? '`systemctl start docker`' : '`dockerd`'
  const install = installs ? 'Install it with `apt-get install docker.io iptables` and start' : 'Start'
  return `${install} it with ${start}, or set DOCKER_HOST to another engine. Then run this again.`
}

function asUnavailable(error: unknown): DockerState {
  if (!(error instanceof BootstrapError) || error.signal) throw error
  return {
    state: 'unavailable',
    reason: error.message,
    howTo: 'Correct that, or set DOCKER_HOST to an engine that runs, and run this again.',
  }
}
