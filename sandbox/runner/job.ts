import { type ChildProcess, spawn } from 'node:child_process'
import { kill, stdout } from 'node:process'
import { codeOf, messageOf, say } from './outcome.ts'

/** The server keeps only this much of a job's output. */
const OUTPUT_TAIL_CHARS = 16_384
/** Between SIGTERM and SIGKILL to the job, and the longest wait for output after its end. */
const JOB_GRACE_MS = 2000

/** Exit code null = ended by a signal; `interrupted` = the runner was stopped. */
export type JobResult = { exit_code: number | null; output: string; interrupted: boolean }

type JobOrder = { command: string; nonce: string }
type Environment = Record<string, string | undefined>

/** Runs the command in its own process group, and kills the rest of the group when the command has ended. */
export async function runJob(job: JobOrder, env: Environment, stop: AbortSignal): Promise<JobResult> {
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = spawn('/bin/sh', ['-c', job.command], {
    detached: true,
    stdio: [...stdio],
    env: jobEnvironment(job, env),
  })
  const tail = collectOutput(child)
  const end = (): void => {
    signalGroup(child, 'SIGTERM')
    setTimeout(() => signalGroup(child, 'SIGKILL'), JOB_GRACE_MS).unref()
  }
  if (stop.aborted) end()
  else stop.addEventListener('abort', end)
  const { exitCode, problem } = await exitOf(child)
  const interrupted = stop.aborted
  stop.removeEventListener('abort', end)
  signalGroup(child, 'SIGKILL')
  await outputEnd(child)
  return { exit_code: exitCode, output: (tail.text + problem).slice(-OUTPUT_TAIL_CHARS), interrupted }
}

/** The runner's environment without the variables of the source, because the job must not get its tokens. */
function jobEnvironment({ nonce }: JobOrder, env: Environment): Environment {
  const own = Object.entries(env).filter(([name]) => !name.startsWith('SHIPFOX_'))
  return { ...Object.fromEntries(own), SLIPWAY_NONCE: nonce }
}

/** Forwards the output and keeps its end. */
function collectOutput(child: ChildProcess): { text: string } {
  const tail = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (chunk: string) => {
      tail.text = (tail.text + chunk).slice(-OUTPUT_TAIL_CHARS)
      stdout.write(chunk)
    })
  }
  return tail
}

/** Exit code 127 if the shell could not be started, as a shell does for a missing command. */
function exitOf(child: ChildProcess): Promise<{ exitCode: number | null; problem: string }> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode) => resolve({ exitCode, problem: '' }))
    child.once('error', (error) => resolve({ exitCode: 127, problem: `${error.message}\n` }))
  })
}

/** A process that left the group may keep the pipes open for ever, so the wait is bounded. */
function outputEnd(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, JOB_GRACE_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    if (child.stdout?.closed !== false && child.stderr?.closed !== false) done()
    else child.once('close', done)
  })
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    kill(-child.pid, signal)
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') say(`could not send ${signal} to the job: ${messageOf(error)}`)
  }
}
