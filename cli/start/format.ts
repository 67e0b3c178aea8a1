import {
  type EventTable,
  handleEvent,
  type LogEvent,
  type LogEventOf,
  unreachable,
} from '../../core/model/index.ts'
import type { SandboxEvent } from '../../sandbox/index.ts'

/** One step of a runner, for people. `last`: its line will not change any more. */
export interface RunnerStep {
  readonly runner: string
  /** The runner's short id, with template and host where the event names them. */
  readonly head: string
  readonly word: string
  readonly last: boolean
}

/** What is shown of an event: a step of a runner, a sentence, or null: nothing. */
export type Shown = RunnerStep | string | null

/** What people see of an event. An event of level `error` that shows nothing here is shown as a plain line of the log. */
export function formatEvent(event: LogEvent): Shown {
  return handleEvent(FORMATS, event, null)
}

const ignored = (): Shown => null

const FORMATS: EventTable<Shown> = {
  'agent.command-failed': ignored,
  'agent.command-refused': ignored,
  'agent.connected': ignored,
  'agent.disconnected': ignored,
  'agent.hub-unencrypted': ignored,
  'agent.launch-accepted': ignored,
  'agent.launch-too-early': ignored,
  'agent.message-refused': ignored,
  'agent.message-unreadable': ignored,
  'agent.preparing': ignored,
  'agent.refused': ignored,
  'agent.starting': ignored,
  'agent.stopping': ignored,
  'agent.task-failed': ignored,
  'agent.token-refused': ignored,
  'api.refused': ignored,
  'audit.host-added': ignored,
  'audit.host-removed': ignored,
  'audit.templates-stored': ignored,
  'audit.violation': ignored,
  'demand.granted': ignored,
  'demand.refused': ({ reason }) => `waiting: ${reason}`,
  'demand.unplaced': ({ reason }) => `waiting: ${reason}`,
  'demand.waiting': ignored,
  'engine.container-stuck': ignored,
  'engine.container-unreadable': ignored,
  'engine.events-broken': ignored,
  'engine.runner-unreadable': ignored,
  'engine.unreachable': ignored,
  'gateway.connect-failed': ignored,
  'gateway.handler-failed': ignored,
  'gateway.socket-error': ignored,
  'host.backing-off': formatBackoff,
  'host.connected': ignored,
  'host.connection-not-closed': ignored,
  'host.dead': ignored,
  'host.disk-roomy': ignored,
  'host.disk-short': ignored,
  'host.message-undelivered': ignored,
  'host.offline': ({ host }) => `host ${host} is offline`,
  'host.online': ({ host }) => `host ${host} is online`,
  'host.order-undelivered': ignored,
  'host.second-install-refused': ignored,
  'host.silent': ignored,
  'hub.draining': ({ runners }) => `no new job is claimed; runners that still run: ${runners}`,
  'hub.leaving': ignored,
  'hub.listening': ignored,
  'hub.loop-ended': ignored,
  'hub.loop-failed': ({ reason }) => `the hub failed and starts again: ${reason}`,
  'hub.sweep-failed': ignored,
  'image.failed': ignored,
  'image.present': ignored,
  'image.pulling': ignored,
  'journal.compaction-failed': ignored,
  'journal.line-unreadable': ignored,
  'journal.torn-tail-cut': ignored,
  'journal.unwritable': ignored,
  'launch.delivery-unknown': ignored,
  'lease.lost': ignored,
  'lease.released': ignored,
  'lease.renewal-failed': ignored,
  'lease.taken': ignored,
  'lease.yield-asked': ignored,
  'loop.alive': ignored,
  'loop.stuck': ignored,
  'runner.absent': ignored,
  'runner.care-failed': ignored,
  'runner.cleared': ignored,
  'runner.dispatched': (event) => formatStep(event, 'launched'),
  'runner.exited': ignored,
  'runner.gone': (event) => ({ ...formatStep(event, formatEnd(event)), last: true }),
  'runner.host-removed': ignored,
  'runner.kept-container-removed': ignored,
  'runner.left': ignored,
  'runner.rebuilt': ignored,
  'runner.refused': ignored,
  'runner.reserved': (event) => formatStep(event, 'reserved'),
  'runner.running': ignored,
  'runner.started': ({ runner }) => ({ runner, head: shortId(runner), word: 'running', last: false }),
  'runner.stop-ordered': ignored,
  'runner.unknown': ignored,
  'runner.unsettled': ignored,
  'settings.warning': ignored,
  'slot.orphan-freed': ignored,
  'source.absent-ended': ignored,
  'source.authenticated': ignored,
  'source.back': ({ source }) => `source ${source} answers again`,
  'source.cancel.ignored': ignored,
  'source.mint-backing-off': ignored,
  'source.mint-failed': formatSourceFailure,
  'source.mint.lost': ignored,
  'source.mint.narrowed': ignored,
  'source.poll-failed': formatSourceFailure,
  'source.reconcile-failed': ignored,
  'source.report-failed': formatSourceFailure,
  'source.report.unsendable': ignored,
  'source.reservation.dead-on-arrival': ignored,
  'source.unauthorized': ({ source, reason }) => `source ${source} refuses the token: ${reason}`,
  'start.progress': ignored,
  'store.item-unreadable': ignored,
  'sweep.done': ignored,
  'templates.in-force': ignored,
  'templates.unreadable': ignored,
  'templates.warning': ignored,
  'tick.ended': ignored,
}

function formatStep(
  event: LogEventOf<'runner.reserved' | 'runner.dispatched' | 'runner.gone'>,
  word: string,
): RunnerStep {
  const { runner, template, host } = event
  return { runner, head: `${shortId(runner)} ${template} ${host}`, word, last: false }
}

function formatEnd({ outcome, code, reason }: LogEventOf<'runner.gone'>): string {
  return outcome === 'finished' ? 'finished' : `${outcome} (${code}: ${reason})`
}

function formatSourceFailure({
  source,
  reason,
}: LogEventOf<'source.poll-failed' | 'source.mint-failed' | 'source.report-failed'>): string {
  return `source ${source}: ${reason}`
}

function formatBackoff({ host, template, failures }: LogEventOf<'host.backing-off'>): string {
  return `host ${host}: template ${template} pauses after ${failures} failures`
}

/** What people see of an event of the sandbox; null = nothing. */
export function formatSandboxEvent(event: SandboxEvent): string | null {
  switch (event.type) {
    case 'job.queued':
      return `job ${shortId(event.jobId)} queued [${event.labels.join(', ')}]`
    case 'job.claimed':
      return `job ${shortId(event.jobId)} runs on ${shortId(event.runnerId)}`
    case 'job.finished':
      return `job ${shortId(event.jobId)} finished${event.nonceSeen ? '' : ', but its nonce did not come back'}`
    case 'job.failed':
      return `job ${shortId(event.jobId)} failed: ${event.reason}`
    case 'job.cancelled':
      return `job ${shortId(event.jobId)} cancelled`
    case 'job.lost':
      return `job ${shortId(event.jobId)} lost: its runner stopped sending heartbeats`
    case 'jobs.reserved':
      return `${event.count} × [${event.labels.join(', ')}] reserved`
    case 'runner.registered':
      return null
    case 'request.failed':
      return `sandbox: ${event.method} ${event.path} failed: ${event.reason}`
    default:
      return unreachable(event)
  }
}

/** The random end of an id: its start is the time, and so the same for all runners of one burst. */
function shortId(id: string): string {
  return id.slice(-8)
}
