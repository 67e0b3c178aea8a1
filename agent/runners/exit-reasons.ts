import {
  truncate,
  type EndCode,
  REASON_MAX_CHARACTERS,
  type ReportedEnd,
  type StopReason,
} from '../../core/model/index.ts'
import type { StopCode } from '../../protocol/journal.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { Entry } from '../state/ledger.ts'

/* Why a runner ended. `finished` only on evidence from the container, in the boot in which it was started. */

/** What the exit of a container means. `entry` undefined: this agent has no record of it. */
export function endOf(seen: EngineRunner, entry: Entry | undefined, bootId: string): ReportedEnd {
  const { exitCode } = seen
  if (entry !== undefined && entry.stopping !== null)
    return { outcome: 'failed', ...entry.stopping, exitCode }
  if (entry === undefined || entry.bootId === null) {
    return lost(
      'host-rebooted',
      'The container was found ended, with no record of the boot in which it was started.',
      exitCode,
    )
  }
  if (entry.bootId !== bootId)
    return lost('host-rebooted', "The engine's machine restarted while the runner was running.", exitCode)
  // The engine sets this for any process of a container: if the exit code is 0, the runner itself survived.
  if (seen.oomKilled && exitCode !== 0) {
    return failed(
      'out-of-memory',
      'It used more memory than its template allows; the kernel killed it.',
      exitCode,
    )
  }
  if (exitCode === null || (seen.state !== 'exited' && exitCode === 0)) {
    return lost(
      'container-vanished',
      `The engine does not know how the container exited.${engineSays(seen)}`,
      exitCode,
    )
  }
  if (exitCode === 0)
    return { outcome: 'finished', code: 'exited', reason: `It exited with code 0.${hint(seen)}`, exitCode }
  return failed('exited-with-error', `It exited with code ${exitCode}.${engineSays(seen)}`, exitCode)
}

/** The container is gone, and this agent did not remove it. */
export function vanished(entry: Entry): ReportedEnd {
  if (entry.stopping !== null) return { outcome: 'failed', ...entry.stopping, exitCode: null }
  return lost(
    'container-vanished',
    'Its container disappeared: something other than this agent removed it.',
    null,
  )
}

/** The end of a runner that never started. */
export function failed(code: EndCode, reason: string, exitCode: number | null = null): ReportedEnd {
  return { outcome: 'failed', code, reason: truncate(reason, REASON_MAX_CHARACTERS), exitCode }
}

/** The end code and reason of a runner that the hub ordered to stop. */
export function stoppingFor(reason: StopReason): { code: StopCode; reason: string } {
  switch (reason) {
    case 'canceled':
      return { code: 'stopped', reason: 'Its job was canceled.' }
    case 'never-registered':
      return { code: 'never-registered', reason: 'It did not register with its source in time.' }
    case 'source-ended':
      return { code: 'stopped', reason: 'The source reports this runner as ended.' }
    default:
      return reason satisfies never
  }
}

function lost(code: EndCode, reason: string, exitCode: number | null): ReportedEnd {
  return { outcome: 'lost', code, reason: truncate(reason, REASON_MAX_CHARACTERS), exitCode }
}

/** Why the job may have failed although the runner did not. */
function hint({ oomKilled }: EngineRunner): string {
  return oomKilled
    ? ' A process in it used more memory than its template allows; the kernel killed that process.'
    : ''
}

function engineSays(seen: EngineRunner): string {
  return seen.error === null || seen.error === '' ? '' : ` The engine says: ${seen.error}`
}
