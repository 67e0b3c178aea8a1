import {
  unreachable,
  type Epoch,
  type Fence,
  type HubMessage,
  type LaunchOrder,
  type RunnerId,
} from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import type { StopCode } from '../../protocol/journal.ts'
import { failed, stoppingFor } from '../runners/exit-reasons.ts'
import type { WantedImage } from '../host/images.ts'
import type { Journal } from '../state/journal.ts'

export type Command = Extract<HubMessage, { command: string }>

export interface CommandDeps {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly launch: (order: LaunchOrder) => void
  readonly isLaunching: (runner: RunnerId) => boolean
  readonly end: (runner: RunnerId, stopping: { code: StopCode; reason: string }) => void
  readonly attend: (runner: RunnerId) => void
  readonly report: (runner: RunnerId) => void
  readonly want: (command: string, images: readonly WantedImage[]) => void
}

/** The session that a command came in. */
export interface CommandSession {
  readonly epoch: Epoch
  readonly isOver: () => boolean
}

/** Why a command must not be obeyed; null = it may. Older than what this agent has obeyed, it comes from the past. */
function staleness(
  command: { readonly epoch: Epoch; readonly fence?: Fence },
  current: { readonly epoch: Epoch; readonly fence: Fence },
): string | null {
  if (command.epoch !== current.epoch)
    return `its epoch is ${command.epoch}, this session's is ${current.epoch}`
  if (command.fence === undefined || command.fence >= current.fence) return null
  return `its fence is ${command.fence}, this agent has obeyed ${current.fence}`
}

/**
 * Carries out one command of the current session. Safe to repeat: every part of it goes by the runner's id. The fence
 * is on disk before anything is done under it, as records take effect in order.
 */
export async function obey(command: Command, session: CommandSession, deps: CommandDeps): Promise<void> {
  const { journal, log } = deps
  const stale = staleness(command, { epoch: session.epoch, fence: journal.ledger.fence })
  if (stale !== null)
    return log.emit({
      name: 'agent.command-refused',
      type: command.type,
      command: command.command,
      reason: stale,
    })
  if ('fence' in command && command.fence > journal.ledger.fence) {
    await journal.write({ record: 'fence', fence: command.fence })
    // A launch begun now could be missing from the snapshot of the session that has replaced this one.
    if (session.isOver()) return
  }
  switch (command.type) {
    case 'launch':
      for (const order of command.launches) deps.launch(order)
      return
    case 'stop':
      for (const { runner, reason } of command.runners) {
        deps.end(runner, stoppingFor(reason))
        deps.report(runner)
      }
      return
    case 'settle':
      await Promise.all(command.runners.map(async (runner) => settle(runner, deps)))
      return
    case 'prefetch':
      return deps.want(command.command, command.images)
    default:
      return unreachable(command)
  }
}

/** Says again where a runner is. One that never came is refused for ever, should its launch still be on its way. */
async function settle(runner: RunnerId, deps: CommandDeps): Promise<void> {
  const { journal, clock } = deps
  if (!journal.ledger.entries.has(runner) && !deps.isLaunching(runner)) {
    const end = failed('never-arrived', 'Its launch never arrived at this host.')
    await journal.write({ record: 'refused', runner, origin: null, end, at: clock.now() })
    deps.attend(runner)
  }
  deps.report(runner)
}
