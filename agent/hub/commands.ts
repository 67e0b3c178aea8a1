import {
  messageOf,
  unreachable,
  type Epoch,
  type Fence,
  type HubMessage,
  type RunnerId,
} from '../../core/model/index.ts'
import type { Clock, Log } from '../../core/ports/index.ts'
import { failed, stoppingFor } from '../runners/exit-reasons.ts'
import type { Images } from '../host/images.ts'
import type { RunnerEvents } from '../runner-events.ts'
import type { Launcher } from '../runners/launcher.ts'
import type { Reconciler } from '../runners/reconciler.ts'
import type { Journal } from '../state/journal.ts'

export type Command = Extract<HubMessage, { command: string }>

export interface CommandDeps {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly events: RunnerEvents
  readonly images: Images
  readonly launcher: Launcher
  readonly reconciler: Reconciler
}

export type HandleCommand = (command: Command, session: CommandSession) => Promise<void>

/** The session in which a command arrived. */
export interface CommandSession {
  readonly epoch: Epoch
  readonly isOver: () => boolean
}

/** Handles commands; never rejects, as the hub repeats a command that shows no effect. */
export function commandHandler(deps: CommandDeps): HandleCommand {
  return async (command, session) => {
    try {
      await handleCommand(command, session, deps)
    } catch (error) {
      deps.log.emit({ name: 'agent.command-failed', type: command.type, reason: messageOf(error) })
    }
  }
}

/** Why a command is stale; null = it is not. A lower epoch or fence than the current one is from the past. */
function staleness(
  command: { readonly epoch: Epoch; readonly fence?: Fence },
  current: { readonly epoch: Epoch; readonly fence: Fence },
): string | null {
  if (command.epoch !== current.epoch)
    return `its epoch is ${command.epoch}, this session's is ${current.epoch}`
  if (command.fence === undefined || command.fence >= current.fence) return null
  return `its fence is ${command.fence}, this agent has seen ${current.fence}`
}

/**
 * Executes one command of the current session. Safe to repeat: every part is keyed by the runner's id. A new fence is on
 * disk before anything is done under it, because records take effect in order.
 */
async function handleCommand(command: Command, session: CommandSession, deps: CommandDeps): Promise<void> {
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
      for (const order of command.launches) deps.launcher.launch(order)
      return
    case 'stop':
      for (const { runner, reason } of command.runners) {
        deps.reconciler.end(runner, stoppingFor(reason))
        deps.events.publish({ kind: 'report-requested', runner })
      }
      return
    case 'settle':
      await Promise.all(command.runners.map(async (runner) => settle(runner, deps)))
      return
    case 'prefetch':
      return deps.images.want(command.command, command.images)
    default:
      return unreachable(command)
  }
}

/** Reports the state of a runner again. One that never arrived is refused, so that a late launch of it has no effect. */
async function settle(runner: RunnerId, deps: CommandDeps): Promise<void> {
  const { journal, clock } = deps
  if (!journal.ledger.entries.has(runner) && !deps.launcher.isLaunching(runner)) {
    const end = failed('never-arrived', 'Its launch never arrived at this host.')
    await journal.write({ record: 'refused', runner, origin: null, end, at: clock.now() })
    deps.reconciler.enqueue(runner)
  }
  deps.events.publish({ kind: 'report-requested', runner })
}
