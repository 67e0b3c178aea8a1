import { aborted } from '../core/concurrency/aborted.ts'
import { SlipwayError } from '../core/model/index.ts'
import { lockDataDir, type Lock } from '../platform/folder-lock.ts'
import type { AgentOptions } from './options.ts'
import { openParts, type AgentParts } from './parts.ts'

/** The first listing of the engine may delay the connection by this: with it, the first hello contains the host's facts. */
const FIRST_LOOK_MAX_MS = 5_000
const LOCK_CHECK_EVERY_MS = 30_000
/** At shutdown, launches and stops under way may finish and be reported. Below the 30 s that service managers allow. */
const WORK_ENDS_MAX_MS = 10_000
const FLUSH_MAX_MS = 5_000
const PARTS_END_MAX_MS = 5_000
const POLL_MS = 50

/** Serves one host until the signal aborts; see `Agent.run`. */
export async function serve(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const lock = await lockDataDir(options.dataDir)
  try {
    const parts = await openParts(options)
    await run(parts, lock, signal)
  } finally {
    await lock.release()
  }
}

async function run(parts: AgentParts, lock: Lock, signal: AbortSignal): Promise<void> {
  const ending = new AbortController()
  const running = [
    parts.watcher.run(ending.signal),
    parts.disk.run(ending.signal),
    parts.images.run(ending.signal),
    parts.lifetimes.run(ending.signal),
    serveHub(parts, ending.signal),
    guardLock(parts, lock, ending.signal),
  ]
  try {
    // A part that ends before it was told to has failed, and its error is the agent's.
    await Promise.race([aborted(signal), ...running])
    await drain(parts)
  } finally {
    ending.abort()
    // An engine call that hangs has a deadline of its own, which is not waited for here.
    const ended = Promise.all([Promise.allSettled(running), parts.tasks.idle()])
    const patience = new AbortController()
    await Promise.race([ended, parts.clock.sleep(PARTS_END_MAX_MS, patience.signal)])
    patience.abort()
    await parts.journal.close()
  }
}

async function serveHub({ clock, watcher, hub }: AgentParts, signal: AbortSignal): Promise<void> {
  const looked = new AbortController()
  const looking = AbortSignal.any([signal, looked.signal])
  await Promise.race([watcher.freshList(looking), clock.sleep(FIRST_LOOK_MAX_MS, looking)])
  looked.abort()
  await hub.run(signal)
}

async function guardLock({ clock, dataDir }: AgentParts, lock: Lock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(LOCK_CHECK_EVERY_MS, signal)
    if (signal.aborted || (await lock.held())) continue
    throw new SlipwayError(
      'agent-locked',
      `Another agent took over the data folder ${dataDir}, so this one stops. Run only one agent per data folder.`,
    )
  }
}

/** Running jobs are left alone. Starts and stops at work may finish, and their reports may reach the hub. */
async function drain(parts: AgentParts): Promise<void> {
  const { log, readiness, launcher, reconciler, hub, outbox } = parts
  log.emit({ name: 'agent.stopping' })
  readiness.set('stopping', 'The agent is being stopped.')
  await until(parts, () => !launcher.busy && !reconciler.busy, WORK_ENDS_MAX_MS)
  hub.wake()
  await until(parts, () => !hub.connected || outbox.empty, FLUSH_MAX_MS)
}

async function until({ clock }: AgentParts, reached: () => boolean, maxMs: number): Promise<void> {
  const deadlineMs = clock.monotonicMs() + maxMs
  while (!reached() && clock.monotonicMs() < deadlineMs) await clock.sleep(POLL_MS)
}
