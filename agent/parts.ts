import { commandHandler } from './hub/commands.ts'
import { HubClient } from './hub/hub-client.ts'
import { tellHub } from './hub/hub-subscriptions.ts'
import { Outbox } from './hub/outbox.ts'
import { createDiskGuard, measureDisk } from './host/disk.ts'
import { EngineState } from './host/engine-state.ts'
import { EngineWatcher } from './host/engine-watcher.ts'
import { Images } from './host/images.ts'
import { createReadiness } from './host/readiness.ts'
import { createStartRate } from './host/start-rate.ts'
import type { AgentOptions, Retention } from './options.ts'
import { createTasks } from './background-tasks.ts'
import { RunnerEvents } from './runner-events.ts'
import { Launcher } from './runners/launcher.ts'
import { LaunchSecrets } from './runners/launch-secrets.ts'
import { createLifetimes } from './runners/lifetimes.ts'
import { reconcileListing } from './runners/reconcile-listing.ts'
import { reconcileOnEvents } from './runners/reconcile-triggers.ts'
import { Reconciler } from './runners/reconciler.ts'
import { openJournal } from './state/journal.ts'

export type AgentParts = Awaited<ReturnType<typeof openParts>>

/** A full disk has no space for containers that are kept. */
const KEEP_NONE: Retention = { ms: 0, max: 0 }

/** The parts of one running agent. Each is given the parts that it calls; what happens reaches the others by events. */
export async function openParts(options: AgentOptions) {
  const { clock, dataDir, log } = options
  const events = new RunnerEvents()
  const journal = await openJournal(dataDir, log, events)
  const shared = {
    ...options,
    events,
    journal,
    tasks: createTasks(log),
    readiness: createReadiness(events, { engine: 'The engine has not been listed yet.' }),
    startRate: createStartRate(),
    engineState: new EngineState(),
    outbox: new Outbox(),
  }
  const images = new Images(shared)
  const lifetimes = createLifetimes(shared)
  const secrets = new LaunchSecrets(events)
  const disk = createDiskGuard({ ...shared, measure: options.measureDisk ?? measureDisk })
  const retention = (): Retention => (disk.isShort ? KEEP_NONE : options.retention)
  const launcher = new Launcher({ ...shared, images })
  const reconciler = new Reconciler({ ...shared, launcher, secrets, retention })
  reconcileOnEvents(events, { journal, launcher, reconciler })
  const listing = { clock, disk, events, journal, readiness: shared.readiness, reconciler, retention }
  const watcher = new EngineWatcher({
    ...shared,
    onList: async (listed) => reconcileListing(listed, listing),
  })
  const handleCommand = commandHandler({ ...shared, images, launcher, reconciler })
  const hub = new HubClient({ ...shared, images, watcher, handleCommand })
  tellHub(events, { hub, images, journal, outbox: shared.outbox })
  return { ...shared, images, lifetimes, disk, launcher, reconciler, watcher, hub }
}
