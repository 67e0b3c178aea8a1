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
 * Finds a Docker Engine that answers. If none runs, installs and starts one when this is root on a Debian-like Linux;
 * elsewhere it returns what the user has to do. Throws only when a signal interrupted an installation (BootstrapError
 * with that `signal`).
 */
export async function ensureDocker(input: EnsureDockerInput): Promise<DockerState> {
  const { env, print, places = MACHINE_PLACES, timeouts = START_TIMEOUTS } = input
  const settings: StartSettings = { env, places, print, timeouts }
  const action = planDocker(await gatherDockerFacts(env, places))
  if (action.do === 'start' && !(await mayStart(action, input))) {
    return { state: 'unavailable', reason: 'Docker Engine was not started.', howTo: manualStart(action) }
  }
  try {
    return action.do === 'start' ? await startUnderLock(settings) : await carryOut(action, settings)
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

/** Plans again under the lock: another process that held the lock may have started the engine. */
async function startUnderLock(settings: StartSettings): Promise<DockerState> {
  const { env, places, print } = settings
  const onWait = (pid: number) => print(`waiting for process ${pid}, which is starting the Docker Engine`)
  const work = async () => carryOut(planDocker(await gatherDockerFacts(env, places)), settings)
  return withLock(places.lockFolder, work, { onWait })
}

async function carryOut(action: DockerAction, settings: StartSettings): Promise<DockerState> {
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
      if (action.installs) return startAfterInstall(settings)
      const startedPid = await startDocker(action.by, settings)
      if (startedPid === undefined) return { state: 'ready', host }
      settings.print(
        `dockerd runs as process ${startedPid} and keeps running; its log is ${settings.places.engineLog}`,
      )
      return { state: 'ready', host, startedPid }
    }
  }
}

/** The package may have started the engine already, so the rest is planned again. */
async function startAfterInstall(settings: StartSettings): Promise<DockerState> {
  await installEngine(settings)
  const action = planDocker(await gatherDockerFacts(settings.env, settings.places))
  if (action.do === 'start' && action.installs) {
    throw new BootstrapError('apt-get installed docker.io, but the program `dockerd` is still missing.')
  }
  return carryOut(action, settings)
}

function manualStart({ installs, by }: StartAction): string {
  const start = by === 'systemctl' ? '`systemctl start docker`' : '`dockerd`'
  const install = installs ? 'Install it with `apt-get install docker.io iptables` and start' : 'Start'
  return `${install} it with ${start}, or set DOCKER_HOST to another engine. Then run this command again.`
}

function asUnavailable(error: unknown): DockerState {
  if (!(error instanceof BootstrapError) || error.signal) throw error
  return {
    state: 'unavailable',
    reason: error.message,
    howTo: 'Fix this, or set DOCKER_HOST to a running engine, then run this command again.',
  }
}
