import type { LogEntry } from '../../adapters/log/index.ts'
import type { SandboxEvent } from '../../sandbox/index.ts'

/** One step of a runner, for people. `last`: its line will not change any more. */
export interface RunnerStep {
  readonly runner: string
  readonly head: string
  readonly word: string
  readonly last: boolean
}

const WORDS: Readonly<Record<string, string>> = {
  'runner.reserved': 'reserved',
  'runner.dispatched': 'launched',
  'runner.started': 'running',
}

export function sayRunnerStep({ event, fields }: LogEntry): RunnerStep | null {
  const runner = String(fields['runner'])
  const known = WORDS[event]
  if (known === undefined && event !== 'runner.gone') return null
  const word = known ?? ending(fields)
  const head = [short(runner), textOf(fields['template']), textOf(fields['host'])].join(' ').trimEnd()
  return { runner, head, word, last: event === 'runner.gone' }
}

function textOf(field: unknown): string {
  return typeof field === 'string' ? field : ''
}

function ending(fields: LogEntry['fields']): string {
  return fields['outcome'] === 'finished'
    ? 'finished'
    : `${String(fields['outcome'])} (${String(fields['code'])}: ${String(fields['reason'])})`
}

/** What a person should know besides the runners' own lines; null = nothing. */
export function sayTrouble({ event, fields }: LogEntry): string | null {
  const message = typeof fields['message'] === 'string' ? fields['message'] : ''
  switch (event) {
    case 'demand.refused':
    case 'demand.unplaced':
      return `waiting: ${message}`
    case 'source.unauthorized':
      return `source ${String(fields['source'])} refuses the token: ${message}`
    case 'source.poll-failed':
    case 'source.mint-failed':
    case 'source.report-failed':
      return `source ${String(fields['source'])}: ${message}`
    case 'source.back':
      return `source ${String(fields['source'])} answers again`
    case 'host.online':
      return `host ${String(fields['host'])} is online`
    case 'host.offline':
      return `host ${String(fields['host'])} is offline`
    case 'host.backing-off':
      return `host ${String(fields['host'])}: template ${String(fields['template'])} pauses after ${String(fields['failures'])} failures`
    case 'hub.loop-failed':
      return `the hub failed and starts again: ${message}`
    case 'hub.draining':
      return `no new job is claimed; runners still going: ${String(fields['runners'])}`
    default:
      return null
  }
}

export function sayJobEvent(event: SandboxEvent): string | null {
  switch (event.type) {
    case 'job.queued':
      return `job ${short(event.jobId)} queued [${event.labels.join(', ')}]`
    case 'job.claimed':
      return `job ${short(event.jobId)} runs on ${short(event.runnerId)}`
    case 'job.finished':
      return `job ${short(event.jobId)} finished${event.nonceSeen ? '' : ', but its nonce did not come back'}`
    case 'job.failed':
      return `job ${short(event.jobId)} failed: ${event.reason}`
    case 'job.cancelled':
      return `job ${short(event.jobId)} cancelled`
    case 'job.lost':
      return `job ${short(event.jobId)} lost: its runner fell silent`
    case 'jobs.reserved':
      return `${event.count} × [${event.labels.join(', ')}] reserved`
    case 'runner.registered':
      return null
    case 'request.failed':
      return `sandbox: ${event.method} ${event.path} failed: ${event.message}`
  }
}

/** The random end of an id: its time-ordered start is the same for all of a burst. */
function short(id: string): string {
  return id.slice(-8)
}
