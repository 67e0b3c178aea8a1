import type { Epoch, EpochMs, HostId, RunnerId, TemplateKey } from '../ids.ts'
import type { GoodbyeCode, HubMessage } from '../messages.ts'
import type { EndCode, Ending } from '../runner.ts'
import { error, type Failure, info, warn } from './definition.ts'

/** How a session with the hub ended; `retryInMs`: the pause before the next one. */
interface Disconnected extends Failure {
  readonly kind: 'closed' | 'goodbye' | 'renew' | 'refused' | 'unreachable'
  /** Of a goodbye alone. */
  readonly code?: GoodbyeCode
  readonly retryInMs: number
}

/** What a person can do about it. */
interface Advice {
  readonly advice: string
}

/** Events of an agent: its hub, its engine, its runners and its journal. */
export const AGENT_EVENTS = {
  'agent.command-failed': error<Failure & { type: HubMessage['type'] }>(),
  'agent.command-refused': warn<Failure & { type: HubMessage['type']; command: string }>(),
  'agent.connected': info<{ epoch: Epoch | undefined }>(),
  'agent.disconnected': warn<Disconnected>(),
  'agent.hub-unencrypted': warn<Advice & { hubUrl: string }>(),
  'agent.launch-accepted': info<{ runner: RunnerId; template: TemplateKey; image: string }>(),
  'agent.launch-too-early': warn<{ command: string }>(),
  'agent.message-unreadable': error<Failure>(),
  'agent.starting': info<{ host: HostId; install: string; hubUrl: string; engine: string }>(),
  'agent.stopping': info(),
  'agent.task-failed': error<Failure & { task: string }>(),
  'agent.token-refused': error<Failure>(),
  'engine.container-stuck': error<Failure & { container: string; names: readonly string[] }>(),
  'engine.container-unreadable': error<Failure & Advice & { container: string; containerName: string }>(),
  'engine.events-broken': warn<Failure>(),
  'engine.runner-unreadable': error<Failure & Advice & { folder: string }>(),
  'engine.unreachable': warn<Failure>(),
  'host.disk-roomy': info<{ folder: string | null }>(),
  'host.disk-short': warn<Failure & { folder: string | null }>(),
  'image.failed': warn<Failure & { image: string; retryInMs: number }>(),
  'image.present': info<{ image: string }>(),
  'image.pulling': info<{ image: string }>(),
  'journal.compaction-failed': warn<Failure>(),
  'journal.line-unreadable': warn<{ path: string; line: number }>(),
  'journal.torn-tail-cut': warn<{ path: string }>(),
  'journal.unwritable': warn<Failure>(),
  /** `kind`: how the engine failed; null = it was not the engine. */
  'runner.care-failed': warn<Failure & { runner: RunnerId; step: string; kind: string | null }>(),
  'runner.cleared': info<{ runner: RunnerId }>(),
  'runner.exited': info<Ending & { runner: RunnerId; finishedAt: EpochMs }>(),
  'runner.kept-container-removed': info<{ runner: RunnerId }>(),
  'runner.refused': warn<Failure & { runner: RunnerId; code: EndCode }>(),
  /** `adopted`: its container ran before this agent knew of it. */
  'runner.started': info<{ runner: RunnerId; startedAt: EpochMs; adopted?: true }>(),
  'runner.unsettled': warn<{ runner: RunnerId; steps: number }>(),
}
