import {
  type AgentConnection,
  type AgentMessage,
  truncate,
  type HelloFacts,
  type Host,
  type HubMessage,
  type ImageState,
  isAssigned,
  REASON_MAX_CHARACTERS,
  type ReportedImage,
  type RunnerSighting,
  type Template,
} from '../../model/index.ts'
import type {
  AgentGateway,
  Clock,
  HostStore,
  LeaseStore,
  Log,
  RecordStore,
  RunnerStore,
} from '../../ports/index.ts'
import { applySighting } from './sightings.ts'
import { takeSnapshot } from './snapshot.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'
import { unlessUnreadable } from '../skip-unreadable.ts'

/** Heartbeat interval while no runner lives: well below the ten minutes after which idle connections are closed. */
const HEARTBEAT_IDLE_MS = 240_000
/** Heartbeat interval while a runner lives. */
const HEARTBEAT_BUSY_MS = 60_000
/** Added to two intervals: one missed heartbeat and a slow network are tolerated. */
const HEARTBEAT_GRACE_MS = 30_000

export interface SessionPorts {
  readonly store: HostStore &
    RunnerStore &
    Pick<LeaseStore, 'readLease'> &
    Pick<RecordStore, 'putCrashReport'>
  readonly gateway: AgentGateway
  /** The templates in force now. */
  readonly templates: () => readonly Template[] | Promise<readonly Template[]>
  readonly clock: Clock
  readonly log: Log
}

type SendPorts = Pick<SessionPorts, 'gateway' | 'log'>

type Of<T extends AgentMessage['type']> = Extract<AgentMessage, { type: T }>

/** Takes one message from an agent. Messages of one host may come concurrently, twice, and out of order. */
export async function takeAgentMessage(
  ports: SessionPorts,
  from: AgentConnection,
  message: AgentMessage,
): Promise<void> {
  if (message.type === 'hello') return begin(ports, from, message)
  const host = await ports.store.getHost(from.host)
  if (host === null || host.epoch !== message.epoch || host.connection !== from.connection) {
    await send(ports, from, {
      type: 'goodbye',
      code: host === null ? 'host-unknown' : 'superseded',
      message:
        host === null
          ? `Host ${from.host} was removed from the hub.`
          : 'A newer session of this host has begun.',
      retry: host !== null,
    })
    return
  }
  await takeInSession(ports, from, host, message)
  await send(ports, from, { type: 'ack', epoch: message.epoch, seq: message.seq })
}

/** Ends the session of a closed connection. If a newer session replaced it, nothing changes. */
export async function endAgentSession(
  ports: Pick<SessionPorts, 'clock' | 'log'> & { readonly store: Pick<HostStore, 'endSession'> },
  from: AgentConnection,
): Promise<void> {
  const ended = await ports.store.endSession({ ...from, now: ports.clock.now() })
  if (ended) ports.log.emit({ name: 'host.offline', host: from.host })
}

async function takeInSession(
  ports: SessionPorts,
  from: AgentConnection,
  host: Host,
  message: Exclude<AgentMessage, { type: 'hello' }>,
): Promise<void> {
  const now = ports.clock.now()
  switch (message.type) {
    case 'snapshot':
      if (await takeSnapshot(ports, host, message)) await opened(ports, from, host)
      return
    case 'report':
      await forEachLimited(message.runners, WRITES_AT_ONCE, (seen: RunnerSighting) =>
        unlessUnreadable(ports.log, () => applySighting(ports, host, seen)),
      )
      return
    case 'heartbeat':
      await takeHeartbeat(ports, host, message)
      return
    case 'images':
      await ports.store.mergeImages({
        host: host.id,
        images: new Map(message.images.map(({ image, status }) => [image, imageState(status, now)])),
        now,
      })
      return
    case 'black-box': {
      const { runner, part, parts, text } = message
      await ports.store.putCrashReport({ host: host.id, runner, part, parts, text, now })
    }
  }
}

async function begin(ports: SessionPorts, from: AgentConnection, hello: Of<'hello'>): Promise<void> {
  const { store, clock, log } = ports
  const known = await store.getHost(from.host)
  if (known === null) {
    return send(ports, from, {
      type: 'goodbye',
      code: 'host-unknown',
      message: `The hub has no host ${from.host}. Add it again and install its new token.`,
      retry: false,
    })
  }
  if (await isServedByAnother(ports, known, hello.install)) {
    log.emit({ name: 'host.second-install-refused', host: known.id })
    return send(ports, from, {
      type: 'goodbye',
      code: 'install-mismatch',
      message: `Host ${known.id} is served by another installation right now. Stop one of the two, or give this machine a name of its own.`,
      retry: true,
    })
  }
  await openFence(ports, known)
  const { install, capacity, accepting } = hello
  const facts = { install, capacity, accepting, notAcceptingReason: shortReason(hello) }
  const host = await store.beginSession({ ...from, facts, now: clock.now() })
  if (host === null) return
  await noteAlive(ports, host, null, HEARTBEAT_BUSY_MS)
  await dismiss(ports, known, from)
  log.emit({
    name: 'host.connected',
    host: host.id,
    epoch: host.epoch,
    agentVersion: hello.agentVersion,
    engine: hello.engine.kind,
  })
  await send(ports, from, {
    type: 'welcome',
    host: host.id,
    epoch: host.epoch,
    heartbeatIdleMs: HEARTBEAT_IDLE_MS,
    heartbeatBusyMs: HEARTBEAT_BUSY_MS,
  })
}

/** Two installations must not alternate on one host: each would report the other's runners as vanished. */
async function isServedByAnother(
  { store, clock }: Pick<SessionPorts, 'store' | 'clock'>,
  host: Host,
  install: string,
): Promise<boolean> {
  if (host.install === null || host.install === install || host.connection === null) return false
  const liveness = await store.getLiveness(host.id)
  return liveness !== null && liveness.expectedBy > clock.now()
}

/**
 * Opens a host under the lease's present fence. Read again after writing: a take-over in between either lists this
 * host or is seen here.
 */
async function openFence({ store }: Pick<SessionPorts, 'store'>, host: Host): Promise<void> {
  let written: number | undefined
  for (;;) {
    const fence = (await store.readLease())?.fence
    if (fence === written) return
    if (fence !== undefined) await store.raiseFence(host.id, fence)
    written = fence
  }
}

/** Closes the connection that the new one replaces; it may be gone already. */
async function dismiss(ports: SendPorts, before: Host, from: AgentConnection): Promise<void> {
  if (before.connection === null || before.connection === from.connection) return
  const message = 'A newer session of this host has begun.'
  const old = { host: before.id, connection: before.connection }
  await send(ports, old, { type: 'goodbye', code: 'superseded', message, retry: true })
  try {
    await ports.gateway.close(old.connection)
  } catch (cause) {
    ports.log.emit({ name: 'host.connection-not-closed', host: old.host, cause })
  }
}

async function opened(ports: SessionPorts, from: AgentConnection, host: Host): Promise<void> {
  const { id, epoch } = host
  if (!(await ports.store.openHost({ host: id, epoch, now: ports.clock.now() }))) return
  ports.log.emit({ name: 'host.online', host: id, epoch })
  await sendPrefetch(ports, from, host)
}

/** Asks a host to pull the images of its templates: when its session opens, and when templates change. */
export async function sendPrefetch(
  ports: SendPorts & Pick<SessionPorts, 'templates' | 'clock'>,
  to: AgentConnection,
  host: Host,
): Promise<void> {
  const wanted = new Map(
    (await ports.templates())
      .filter((template) => isAssigned(template, host))
      .map((template) => [template.image, template.pull]),
  )
  const images = [...wanted].map(([image, pull]) => ({ image, pull }))
  if (images.length === 0) return
  await send(ports, to, {
    type: 'prefetch',
    command: `prefetch-${host.epoch}-${ports.clock.now()}`,
    epoch: host.epoch,
    images,
  })
}

async function takeHeartbeat(
  ports: Pick<SessionPorts, 'store' | 'clock'>,
  host: Host,
  beat: Of<'heartbeat'>,
): Promise<void> {
  await noteAlive(ports, host, beat.startsPerMinute, beat.nextInMs)
  const reason = shortReason(beat)
  if (beat.accepting === host.accepting && reason === host.notAcceptingReason) return
  await ports.store.setAccepting({
    host: host.id,
    epoch: beat.epoch,
    accepting: beat.accepting,
    reason,
    now: ports.clock.now(),
  })
}

/** An engine's error text may be a page long, and a host whose reason can't be stored could not connect. */
function shortReason({ notAcceptingReason }: Pick<HelloFacts, 'notAcceptingReason'>): string | null {
  return notAcceptingReason === null ? null : truncate(notAcceptingReason, REASON_MAX_CHARACTERS)
}

async function noteAlive(
  { store, clock }: Pick<SessionPorts, 'store' | 'clock'>,
  host: Host,
  startsPerMinute: number | null,
  nextInMs: number,
): Promise<void> {
  const lastSeenAt = clock.now()
  const expectedBy = lastSeenAt + 2 * nextInMs + HEARTBEAT_GRACE_MS
  await store.putLiveness({ host: host.id, epoch: host.epoch, lastSeenAt, expectedBy, startsPerMinute })
}

/** An undelivered message is not lost: the agent repeats what was not acknowledged, the control loop its orders. */
async function send(ports: SendPorts, to: AgentConnection, message: HubMessage): Promise<void> {
  try {
    await ports.gateway.post(to.connection, message)
  } catch (cause) {
    ports.log.emit({ name: 'host.message-undelivered', host: to.host, type: message.type, cause })
  }
}

function imageState(status: ReportedImage, now: number): ImageState {
  return status.state === 'failed'
    ? { state: 'failed', reason: status.reason, retryAt: now + status.retryInMs }
    : status
}
