import type { Agent, AgentOptions } from './options.ts'
import { serve } from './runtime.ts'

export { openInstallationId } from './state/installation-id.ts'
export type { Agent, AgentOptions, HostCaps, Retention } from './options.ts'

/**
 * The agent of one host: connects to the hub, starts and watches the runners that the hub asks for, and reports how they
 * end. It makes no placement decisions; it only carries out commands safely.
 *
 * - `parts.ts`: which part calls which; `runner-events.ts`: what they tell each other; `runtime.ts`: start and shutdown
 * - `hub/`: `hub-client.ts`, `session.ts`, `connection.ts`; `outbox.ts` holds what is not acknowledged yet
 * - `hub/commands.ts` → `runners/launcher.ts` → `runners/create-and-start.ts`: from a launch to a running container
 * - `host/engine-watcher.ts` → `runners/reconcile-decision.ts` (pure) → `runners/reconciler.ts`: from what the engine
 *   shows to an honest end
 * - `state/`: `journal.ts` and `ledger.ts` outlive the process; `installation-id.ts` names the installation
 */
export function createAgent(options: AgentOptions): Agent {
  return { run: async (signal) => serve(options, signal) }
}
