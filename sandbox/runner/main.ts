/**
 * The demo runner: registers with the one-time token in its environment, takes one job from the sandbox, runs it with
 * `/bin/sh -c`, reports the result and exits. It imports only Node's own modules, so that an image needs only a node
 * binary, a shell and these few files (`runner-files.ts` converts them to JavaScript, which starts faster).
 *
 * Exit codes: 0 = the protocol succeeded, whatever the job's result, or there was no job in time; 1 = the server refused
 * or could not be reached; 2 = a variable is missing or invalid; 143 = stopped by a signal or its lifetime.
 */
import { env, exit } from 'node:process'
import { type JobResult, runJob } from './job.ts'
import { EXIT, messageOf, RunnerFailure, say } from './outcome.ts'
import { readSettings, type Settings } from './settings.ts'
import { ASSIGNMENT_WAIT_SECONDS, isObject, refused, type Reply, sleep, text, Wire } from './wire.ts'

/** The pause between two requests for a job grows from the first to the last. */
const ASK_FIRST_MS = 250
const ASK_LAST_MS = 2000
/** How long and how often to retry reporting a result: after this time the server has ended the job anyway. */
const RESULT_PATIENCE_MS = 60_000
const RESULT_RETRY_MS = 500

type Claim = { lease: string; command: string; nonce: string; heartbeatMs: number }

/** Aborts on SIGTERM, on SIGINT and at the end of the lifetime, with that as the reason. */
const stop = new AbortController()

async function main(): Promise<number> {
  const settings = readSettings(env)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(signal))
  setTimeout(() => stop.abort('the maximum lifetime'), settings.lifetimeMs).unref()
  const wire = new Wire(settings.apiUrl, stop.signal)
  const askUntil = settings.pollMaxMs === 0 ? Infinity : Date.now() + settings.pollMaxMs
  const registerToken = settings.generation === 'v1' ? settings.token : await enrol(wire, settings, askUntil)
  if (registerToken === null) return leaveIdle()
  const registered = await wire.post('/runners/register', registerToken, { labels: settings.labels })
  say('registered')
  const claim = await askForJob(wire, text(registered, 'session_token'), askUntil)
  if (claim === null) return leaveIdle()
  const result = await work(wire, claim)
  await tellResult(wire, claim, result)
  return result.interrupted ? leaveStopped() : EXIT.ok
}

function leaveIdle(): number {
  if (stop.signal.aborted) return leaveStopped()
  say('no job came in time')
  return EXIT.ok
}

function leaveStopped(): number {
  say(`stopped by ${String(stop.signal.reason)}`)
  return EXIT.stopped
}

/** v2: exchanges the bootstrap token and waits for an assignment; null = none in time. */
async function enrol(wire: Wire, settings: Settings, until: number): Promise<string | null> {
  const exchanged = await wire.post('/runner-enrollment/exchange', null, { bootstrap_token: settings.token })
  const control = text(exchanged, 'control_session_token')
  const who = { labels: settings.labels, provider_kind: settings.providerKind, protocol_version: 1 }
  let reply = await wire.post('/runner-control/enrollment', control, who)
  while (reply.body['activation_token'] === null) {
    if (Date.now() >= until || stop.signal.aborted) return null
    const seconds = Math.max(1, Math.min(ASSIGNMENT_WAIT_SECONDS, Math.ceil((until - Date.now()) / 1000)))
    reply = await wire.get(`/runner-control/assignment?wait_seconds=${seconds}`, control)
    await wire.post('/runner-control/heartbeat', control, {})
  }
  return text(reply, 'activation_token')
}

/** The claimed job; null = none in time. */
async function askForJob(wire: Wire, session: string, until: number): Promise<Claim | null> {
  for (let pauseMs = ASK_FIRST_MS; !stop.signal.aborted; pauseMs = Math.min(pauseMs * 2, ASK_LAST_MS)) {
    const reply = await wire.post('/runners/jobs/request', session, {})
    if (reply.status === 200) return claimFrom(reply)
    if (Date.now() + pauseMs > until) return null
    await sleep(pauseMs, stop.signal)
  }
  return null
}

function claimFrom(reply: Reply): Claim {
  const job = reply.body['sandbox']
  if (!isObject(job)) {
    throw new RunnerFailure('The job has no command: this runner supports only the Slipway sandbox.')
  }
  const { command, nonce, heartbeat_interval_ms: heartbeatMs } = job
  return {
    lease: text(reply, 'lease_token'),
    command: String(command),
    nonce: String(nonce),
    heartbeatMs: Number(heartbeatMs),
  }
}

async function work(wire: Wire, claim: Claim): Promise<JobResult> {
  say('running a job')
  const beat = setInterval(() => void heartbeat(wire, claim), claim.heartbeatMs)
  try {
    return await runJob(claim, env, stop.signal)
  } finally {
    clearInterval(beat)
  }
}

/** A failed heartbeat is repaired by the next one; a refused heartbeat means that this runner has lost the job. */
async function heartbeat(wire: Wire, { lease }: Claim): Promise<void> {
  try {
    const { status } = await wire.tryPost('/runners/jobs/heartbeat', lease, {})
    if (status === 409 || status === 401) stop.abort('the server, which has ended the job')
  } catch (error) {
    say(`heartbeat: ${messageOf(error)}`)
  }
}

/** Retries until the server has the result, which is idempotent. Also reports while the runner is stopping. */
async function tellResult(wire: Wire, { lease }: Claim, result: JobResult): Promise<void> {
  const path = '/runners/jobs/complete'
  const until = Date.now() + RESULT_PATIENCE_MS
  for (;;) {
    const reply = await wire.tryPost(path, lease, result).catch(messageOf)
    if (typeof reply !== 'string' && reply.status === 200) return
    if (typeof reply !== 'string' && reply.status < 500) throw refused(path, reply)
    const problem = typeof reply === 'string' ? reply : `answer ${reply.status}`
    if (Date.now() >= until) throw new RunnerFailure(`The job's result could not be reported: ${problem}`)
    await sleep(RESULT_RETRY_MS, null)
  }
}

try {
  exit(await main())
} catch (error) {
  say(messageOf(error))
  exit(error instanceof RunnerFailure ? error.exitCode : EXIT.failed)
}
