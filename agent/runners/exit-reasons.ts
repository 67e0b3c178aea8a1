import {
  clip,
  type EndCode,
  REASON_MAX_CHARACTERS,
  type ReportedEnd,
  type StopReason,
} from '../../core/model/index.ts'
import type { StopCode } from '../../protocol/journal.ts'
import type { EngineRunner } from '../engines/engine.ts'
import type { Entry } from '../state/ledger.ts'

/* How a runner ended, told honestly: `finished` only on evidence of the boot and the container that started it. */

/** What the exit of a container means. `entry` undefined: this agent has no record of it. */
export function endOf(seen: EngineRunner, entry: Entry | undefined, bootId: string): ReportedEnd {
  const { exitCode } = seen
  if (entry !== undefined && entry.stopping !== null)
    return { outcome: 'failed', ...entry.stopping, exitCode }
  if (entry === undefined || entry.bootId === null) {
    return lost(
      'host-rebooted',
      'It was found ended, with no record of the boot that it was started in.',
      exitCode,
    )
  }
  if (entry.bootId !== bootId)
    return lost('host-rebooted', "The engine's machine restarted under it.", exitCode)
  // An engine says so of any process of a container: the runner outlived it, if it ended well.
  if (seen.oomKilled && exitCode !== 0) {
    return failed(
      'out-of-memory',
      'It used more memory than its template gives; the kernel ended it.',
      exitCode,
    )
  }
  if (exitCode === null || (seen.state !== 'exited' && exitCode === 0)) {
    return lost('container-vanished', `The engine can't say how it exited.${engineSays(seen)}`, exitCode)
  }
  if (exitCode === 0)
    return { outcome: 'finished', code: 'exited', reason: `It exited with code 0.${hint(seen)}`, exitCode }
  return failed('exited-with-error', `It exited with code ${exitCode}.${engineSays(seen)}`, exitCode)
}

/** Its container is gone, and this agent didn't remove it. */
export function vanished(entry: Entry): ReportedEnd {
  if (entry.stopping !== null) return { outcome: 'failed', ...entry.stopping, exitCode: null }
  return lost('container-vanished', 'Its container disappeared: someone else removed it.', null)
}

/** The end of a runner that never started. */
export function failed(code: EndCode, reason: string, exitCode: number | null = null): ReportedEnd {
  return { outcome: 'failed', code, reason: clip(reason, REASON_MAX_CHARACTERS), exitCode }
}

/** What an order to stop makes of a runner. */
export function stoppingFor(reason: StopReason): { code: StopCode; reason: string } {
  switch (reason) {
    case 'canceled':
      return { code: 'stopped', reason: 'Its job was canceled.' }
    case 'never-registered':
      return { code: 'never-registered', reason: 'It did not register at its source in time.' }
    case 'source-ended':
      return { code: 'stopped', reason: 'Its source holds it for ended.' }
    default:
      return reason satisfies never
  }
}

function lost(code: EndCode, reason: string, exitCode: number | null): ReportedEnd {
  return { outcome: 'lost', code, reason: clip(reason, REASON_MAX_CHARACTERS), exitCode }
}

/** What its job may have failed of. */
function hint({ oomKilled }: EngineRunner): string {
  return oomKilled
    ? ' A process in it used more memory than its template gives; the kernel ended that one.'
    : ''
}

function engineSays(seen: EngineRunner): string {
  return seen.error === null || seen.error === '' ? '' : ` The engine says: ${seen.error}`
}
