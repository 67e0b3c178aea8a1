import { messageOf } from '../core/model/index.ts'
import type { Log } from '../core/ports/index.ts'

/**
 * Work that is not awaited. Each task handles the failures that it expects; any other failure is logged as a bug, and the
 * next listing of the engine reconciles the runner again.
 */
export interface Tasks {
  start(name: string, work: () => Promise<void>): void
  /** Resolves when every task has ended. */
  idle(): Promise<void>
}

export function createTasks(log: Log): Tasks {
  const running = new Set<Promise<void>>()

  async function guard(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      log.emit({ name: 'agent.task-failed', task: name, reason: messageOf(error) })
    }
  }

  return {
    start(name, work) {
      const task = guard(name, work)
      running.add(task)
      void task.then(() => running.delete(task))
    },
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
