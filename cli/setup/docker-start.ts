import { spawn } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runChild } from '../../platform/bootstrap/child.mjs'
import { systemEnv } from './docker-facts.ts'
import type { DockerPlaces, Env } from './docker-facts.ts'
import { pingDocker } from './docker-ping.ts'
import type { StartAction } from './docker-plan.ts'
import { BootstrapError } from '../../platform/bootstrap/errors.mjs'

export type StartSettings = {
  env: Env
  places: DockerPlaces
  print: (line: string) => void
  timeouts: StartTimeouts
}
export type StartTimeouts = { engineMs: number; aptLockMs: number }

export const START_TIMEOUTS: StartTimeouts = {
  /** A cold dockerd answers in about 2 s; with thousands of containers to restore it took 40 s. */
  engineMs: 90_000,
  /** Unattended upgrades hold apt's lock for minutes after boot. */
  aptLockMs: 5 * 60_000,
}

const POLL_MS = 250
const APT_RETRY_MS = 2_000
/** Interval of "still waiting" lines. */
const PROGRESS_MS = 10_000
const LOG_TAIL_LINES = 15

/** Starts an installed engine and resolves once it answers, with its pid if we started the process. */
export async function startDocker(
  by: StartAction['by'],
  settings: StartSettings,
): Promise<number | undefined> {
  const host = `unix://${settings.places.socket}`
  if (by === 'dockerd') return startEngineProcess(host, settings)
  await run('systemctl', ['start', 'docker'], settings)
  await awaitEngine(host, settings, async () => undefined)
  return undefined
}

/** Waits until the engine answers. `findFailure` is called while waiting: a text that it returns ends the wait. */
export async function awaitEngine(
  host: string,
  { env, print, timeouts }: StartSettings,
  findFailure: () => Promise<string | undefined>,
): Promise<void> {
  const startedAtMs = Date.now()
  let saidAtMs = startedAtMs
  for (;;) {
    const { answer, detail } = await pingDocker(host, env)
    if (answer === 'ok') return
    const failure = await findFailure()
    if (failure !== undefined) throw new BootstrapError(failure)
    const waitedS = Math.round((Date.now() - startedAtMs) / 1000)
    if (Date.now() - startedAtMs > timeouts.engineMs) {
      throw new BootstrapError(`The Docker Engine at ${host} did not answer within ${waitedS} s (${detail}).`)
    }
    if (Date.now() - saidAtMs > PROGRESS_MS) {
      saidAtMs = Date.now()
      print(`still waiting for the Docker Engine (${waitedS} s)`)
    }
    await sleep(POLL_MS)
  }
}

async function startEngineProcess(host: string, settings: StartSettings): Promise<number | undefined> {
  const { engineLog } = settings.places
  await mkdir(dirname(engineLog), { recursive: true })
  const log = await open(engineLog, 'a')
  const startOfLog = (await log.stat()).size
  const engine = spawn('dockerd', [], {
    detached: true, // its own session, so that Ctrl+C doesn't reach it
    stdio: ['ignore', log.fd, log.fd],
    env: systemEnv(settings.env, settings.places),
  })
  engine.unref()
  let ended: string | undefined
  engine.once('error', (error) => (ended = `could not be started (${error.message})`))
  engine.once('exit', (code, signal) => (ended = `exited (${signal ?? `exit code ${code}`})`))
  await log.close()
  await awaitEngine(host, settings, async () => {
    if (ended === undefined) return undefined
    return `dockerd ${ended}. Last lines of its log ${engineLog}:\n${await readTail(engineLog, startOfLog)}`
  })
  return engine.pid
}

async function readTail(path: string, from: number): Promise<string> {
  const text = (await readFile(path)).subarray(from).toString('utf8')
  return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
}

/** Installs Debian's package docker.io, which may also start the engine. */
export async function installEngine(settings: StartSettings): Promise<void> {
  const install = ['install', '-y', '--no-install-recommends', 'docker.io', 'iptables']
  const first = await runApt(install, settings)
  if (first.code === 0) return
  settings.print('refreshing the package lists (apt-get update)')
  const update = await runApt(['update'], settings)
  if (update.code !== 0) throw aptFailure('update', update.output)
  const second = await runApt(install, settings)
  if (second.code !== 0) throw aptFailure('install docker.io', second.output)
}

function aptFailure(what: string, output: string): BootstrapError {
  const tail = output.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
  return new BootstrapError(`\`apt-get ${what}\` failed. Its output:\n${tail}`)
}

type Outcome = { code: number | null; output: string }

/** Runs apt-get; while another process holds the lock of apt or dpkg, retries until `aptLockMs` has passed. */
async function runApt(args: readonly string[], settings: StartSettings): Promise<Outcome> {
  const deadlineMs = Date.now() + settings.timeouts.aptLockMs
  for (let tries = 0; ; tries++) {
    const outcome = await runProgram('apt-get', args, settings)
    const isHeld = outcome.code !== 0 && /Could not get lock|Unable to (acquire|lock)/.test(outcome.output)
    if (!isHeld || Date.now() > deadlineMs) return outcome
    if (tries === 0) settings.print('waiting for another process that is installing packages')
    await sleep(APT_RETRY_MS)
  }
}

async function run(program: string, args: readonly string[], settings: StartSettings): Promise<void> {
  const { code, output } = await runProgram(program, args, settings)
  if (code === 0) return
  throw new BootstrapError(`\`${program} ${args.join(' ')}\` failed. Its output:\n${output.trimEnd()}`)
}

async function runProgram(
  program: string,
  args: readonly string[],
  { env, places }: StartSettings,
): Promise<Outcome> {
  let output = ''
  const onOutput = (text: string): void => {
    output += text
  }
  const plainEnv = { ...systemEnv(env, places), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  const { code, signal, sent } = await runChild(program, args, { env: plainEnv, onOutput })
  const interruption = sent ?? signal
  if (interruption) throw new BootstrapError(`${program} was interrupted`, { signal: interruption })
  return { code, output }
}
