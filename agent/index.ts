import type { Agent, AgentOptions } from './options.ts'
import { serve } from './runtime.ts'

export { openInstallationId } from './state/installation-id.ts'
export type { Agent, AgentOptions, HostCaps, Retention } from './options.ts'

/**
 * The agent of one host: dials the hub, starts and watches the runners that the hub asks for, and reports what became
 * of them. It decides nothing but how to do safely what it is told.
 *
 * - `session.ts`, `hub.ts`, `hub-connection.ts`: talking with the hub; `outbox.ts`: what it has yet to hear
 * - `commands.ts` → `launcher.ts` → `bring-up.ts`: from a launch to a running container
 * - `watcher.ts` → `reconcile.ts` (pure) → `caretaker.ts`: from what the engine shows to an honest end
 * - `journal.ts`, `ledger.ts`: what outlives the process; `lock.ts`, `install.ts`: one agent per data folder
 */
export function createAgent(options: AgentOptions): Agent {
  return { run: async (signal) => serve(options, signal) }
}
