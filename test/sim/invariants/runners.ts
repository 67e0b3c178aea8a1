import type { GoneRunner, ReservedRunner, Runner, RunnerId, RunnerState } from '../../../core/model/index.ts'
import type { SimAgent } from '../world/sim-agent.ts'
import type { CheckerBook } from './checker-book.ts'

/** The edges that docs/protocol.md publishes. A runner begins reserved, or is rebuilt, or is declared lost by a tombstone. */
const EDGES: Readonly<Record<RunnerState | 'none', readonly RunnerState[]>> = {
  none: ['reserved', 'dispatched', 'gone'],
  reserved: ['dispatched', 'gone'],
  dispatched: ['running', 'gone'],
  running: ['gone'],
  gone: [],
}
/** From when on a source may be believed that a runner never registered, as the simulated one says. */
const REGISTRATION_MS = 120_000

/** A runner that is begun: its slot is claimed, its unit granted, and its template not full. */
export function checkReserved(checker: CheckerBook, runner: ReservedRunner): void {
  const { id, template: key, host, reservation } = runner
  checker.expect(checker.hosts.get(host)?.slots.has(id) === true, 7, `${id} was begun without a slot`)
  const live = [...checker.runners.values()].filter((one) => one.template === key && one.state !== 'gone')
  const template = checker.scene.templates.find((one) => one.key === key)
  if (template !== undefined) {
    const most = template.maxConcurrency
    checker.expect(live.length <= most, 12, `${live.length} runners of ${key} live, and ${most} may`)
    const here = live.filter((one) => one.host === host).length
    const mostHere = template.perHost ?? Infinity
    checker.expect(here <= mostHere, 3, `${here} runners of ${key} live on ${host}, and ${mostHere} may`)
  }
  const source = checker.scene.sources.find((one) => one.id === runner.source)
  const units = source?.grants.get(reservation?.id ?? '')?.count
  if (reservation === null || units === undefined) return
  const begun = [...checker.runners.values()].filter((one) => one.reservation?.id === reservation.id).length
  checker.expect(
    begun <= units,
    12,
    `${begun} runners were begun for the ${units} units of ${reservation.id}`,
  )
}

/** Any write to a runner, whoever made it; also one that changed nothing. */
export function checkRunner(checker: CheckerBook, before: Runner | undefined, after: Runner): void {
  if (before !== undefined && JSON.stringify(before) === JSON.stringify(after)) return
  const from = before?.state ?? 'none'
  const to = after.state
  const isStay = from === to && to !== 'gone'
  checker.expect(isStay || EDGES[from].includes(to), 6, `${after.id} went from ${from} to ${to}`)
  if (before !== undefined) checkKept(checker, before, after)
  const agent = checker.scene.agents.get(after.host)
  if (to === 'running') {
    const isThere = agent?.started.some(({ runner }) => runner === after.id) === true
    checker.expect(isThere, 14, `${after.id} was written down as running and was never started`)
  }
  if (after.state === 'gone') checkEnd(checker, before, after, agent)
  if (after.state !== 'gone' && after.stop !== null && (before === undefined || before.stop === null))
    checkStopOrder(checker, after)
}

function checkKept(checker: CheckerBook, before: Runner, after: Runner): void {
  for (const fact of ['host', 'template', 'source', 'reservedAt'] as const)
    checker.expect(before[fact] === after[fact], 6, `the ${fact} of ${after.id} was changed`)
  if (before.state === 'dispatched' && after.state === 'dispatched')
    checker.expect(after.epoch >= before.epoch, 5, `${after.id} was dispatched under an older session`)
}

/** Inv. 8 and 14: an end says what became of the container, and none is ended as absent that is there. */
function checkEnd(
  checker: CheckerBook,
  before: Runner | undefined,
  { id, host, code, outcome }: GoneRunner,
  agent: SimAgent | undefined,
): void {
  const container = agent?.containers.get(id)
  const isAlive = container?.phase === 'accepted' || container?.phase === 'running'
  if (code === 'host-dead') {
    const state = checker.hosts.get(host)?.state ?? 'removed'
    checker.expect(state === 'dead', 8, `${id} was declared lost with ${host}, which is ${state}`)
    return
  }
  if (code === 'host-removed') {
    checker.expect(!checker.hosts.has(host), 8, `${id} was declared lost with ${host}, which is there`)
    return
  }
  checker.expect(
    !isAlive,
    8,
    `${id} was ended (${code}) while its container is ${container?.phase ?? 'gone'}`,
  )
  const end = container?.end ?? null
  if (end === null) {
    checker.expect(outcome !== 'finished', 14, `${id} is finished without an exit`)
    const wasRunning = before?.state === 'running' && !agent?.refused.has(id)
    checker.expect(!wasRunning || outcome === 'lost', 14, `${id} ran, and is ${outcome} without an exit`)
  } else {
    const isSame = end.outcome === outcome && end.code === code
    checker.expect(isSame, 14, `${id} is ${outcome}/${code}, and its container ${end.outcome}/${end.code}`)
  }
}

/** Inv. 4: what may have a job is stopped where its source asked for it, or surely has no registration in time. */
function checkStopOrder(checker: CheckerBook, runner: Exclude<Runner, GoneRunner>): void {
  const { id, stop } = runner
  const { sources, clock, agents } = checker.scene
  const startedAtMs = agents.get(runner.host)?.containers.get(id)?.startedAtMs ?? null
  const isOverdue = startedAtMs !== null && clock.monotonicMs() - startedAtMs >= REGISTRATION_MS
  const why: Readonly<Record<string, boolean>> = {
    canceled: sources.some(({ cancel }) => cancel.includes(id)),
    'never-registered': isOverdue && !isRegistered(checker, id),
    // No simulated source says of a runner that it ended.
    'source-ended': false,
  }
  checker.expect(
    why[stop?.reason ?? ''] === true,
    4,
    `${id} is to be stopped (${stop?.reason}) for no reason`,
  )
}

function isRegistered(checker: CheckerBook, id: RunnerId): boolean {
  return checker.scene.sources.some(({ registered }) => registered.has(id))
}
