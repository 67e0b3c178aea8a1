import type { Engine } from '../engine.ts'
import { ProcessEngine, type ProcessEngineOptions } from './engine.ts'

export type { ProcessEngineOptions } from './engine.ts'

/**
 * The engine port on plain processes, for a look at Slipway on a machine without Docker: each runner is one command
 * under a small process of its own that outlives the agent. **There is no isolation**: runners are this user's
 * processes, see its files and each other, and no limit of cpu, memory or pids is kept. Never run foreign code on it.
 *
 * Images are not used: every image counts as present, and pulls do nothing. Needs the sources, not a bundle.
 */
export function createProcessEngine(options: ProcessEngineOptions): Engine {
  return new ProcessEngine(options)
}
