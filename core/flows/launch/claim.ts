import {
  CLAIMS_MAX,
  type EndCode,
  type HostId,
  type Refusal,
  type Reservation,
  type ReservedRunner,
  newRunnerId,
} from '../../model/index.ts'
import { type ClaimPlan, type Hold, type PlannedRunner, planClaims } from '../../plan/index.ts'
import type { Loop } from '../planner/planner.ts'
import type { SourceDesk } from '../planner/source-state.ts'
import { refusalFields } from '../source-events.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** Tries at placing a unit whose host changed under the plan. */
const CLAIM_ATTEMPTS = 3
/** Why a granted unit is given back: each of its attempts met a host that had changed. */
const NO_PLACE = 'The hosts that were chosen no longer had the capacity when it was claimed.'
/** A reservation that ends sooner gets no token: it would expire before the container has started (R2). */
const MINT_MARGIN_MS = 5_000

/** Places granted units and puts them in line for their mint: claim first, then the runner's item. */
export async function launchGranted(
  loop: Loop,
  desk: SourceDesk,
  granted: readonly Reservation[],
  promised: readonly Hold[],
): Promise<void> {
  let rest = granted
  let slots = promised
  for (let attempt = 1; rest.length > 0 && attempt <= CLAIM_ATTEMPTS; attempt += 1) {
    const plan = planClaims(loop.world(), desk.id, rest, loop.holdsBeside(desk), slots)
    slots = []
    for (const refusal of plan.refusals) sayUnplaced(loop, refusal)
    rest = regrant(await launchPlanned(loop, desk, plan))
  }
  for (const { labels, count } of rest)
    loop.hub.log.emit({ name: 'demand.unplaced', source: desk.id, labels, count, reason: NO_PLACE })
}

/** Warm runners that find no place now are planned again after the next poll. */
export async function launchWarm(loop: Loop, desk: SourceDesk, plan: ClaimPlan): Promise<void> {
  await launchPlanned(loop, desk, plan)
}

/** Resolves with the runners whose host would not hold them any more. */
async function launchPlanned(
  loop: Loop,
  desk: SourceDesk,
  plan: ClaimPlan,
): Promise<readonly PlannedRunner[]> {
  loop.view.lastHost = plan.lastHost
  const groups = [...claimGroups(plan.runners)]
  for (const { holds } of groups) for (const hold of holds) loop.claiming.add(hold)
  const unclaimed: PlannedRunner[] = []
  await forEachLimited(groups, WRITES_AT_ONCE, async ({ host, planned, holds }) => {
    const release = (): void => {
      for (const hold of holds) loop.claiming.delete(hold)
    }
    try {
      if (!(await claimOnHost(loop, desk, host, planned, release))) unclaimed.push(...planned)
    } finally {
      release()
    }
  })
  return unclaimed
}

/** `onClaimed`: the slots stand in the host's item now, and the view knows them. */
async function claimOnHost(
  loop: Loop,
  desk: SourceDesk,
  id: HostId,
  planned: readonly PlannedRunner[],
  onClaimed: () => void,
): Promise<boolean> {
  const { store } = loop.hub
  const epoch = loop.view.host(id)?.epoch
  if (epoch === undefined || !loop.lease.holds()) return false
  const runners = planned.map((plan) => reserve(loop, plan))
  const claims = runners.map((runner) => ({
    runner: runner.id,
    slot: { template: runner.template, cpuMillis: runner.cpuMillis, memoryMib: runner.memoryMib },
  }))
  const host = await store.claimSlots({ host: id, fence: loop.lease.fence, epoch, claims, now: loop.now })
  if (host === null) {
    const fresh = await store.getHost(id)
    if (fresh === null) loop.view.dropHost(id)
    else loop.view.applyHost(fresh)
    return false
  }
  loop.view.applyHost(host)
  for (const [index, runner] of runners.entries()) {
    const queuedAt = desk.oldestQueuedAt(planned[index]?.reservation?.labels ?? [])
    if (queuedAt !== null) loop.queuedAt.set(runner.id, queuedAt)
    loop.advance(runner)
  }
  onClaimed()
  await forEachLimited(runners, WRITES_AT_ONCE, async (runner) => {
    const there = await store.putRunner(runner, loop.now)
    if (there === null) desk.mintQueue.push(runner)
    else loop.advance(there)
  })
  desk.mintNeeded.notify()
  return true
}

function reserve(loop: Loop, { source, reservation, template, host }: PlannedRunner): ReservedRunner {
  return {
    state: 'reserved',
    id: newRunnerId(loop.now, loop.hub.random.bytes(10)),
    template: template.key,
    host,
    source,
    labels: template.labels,
    ...template.size,
    reservation: reservation === null ? null : { id: reservation.id, expiresAt: reservation.expiresAt },
    reservedAt: loop.now,
    stop: null,
  }
}

/** Why a reserved runner must not be minted any more; null = it may. */
export function unmintable(runner: ReservedRunner, now: number): { code: EndCode; reason: string } | null {
  if (runner.stop !== null)
    return { code: 'never-arrived', reason: `Stopped before its launch: ${runner.stop.reason}.` }
  if (runner.reservation !== null && runner.reservation.expiresAt - now < MINT_MARGIN_MS)
    return { code: 'reservation-expired', reason: 'Its reservation ends too soon for a container to start.' }
  return null
}

function holdOf(runner: PlannedRunner): Hold {
  return { host: runner.host, slot: { template: runner.template.key, ...runner.template.size } }
}

interface ClaimGroup {
  readonly host: HostId
  readonly planned: readonly PlannedRunner[]
  readonly holds: readonly Hold[]
}

/** One group per host and claim. */
function* claimGroups(runners: readonly PlannedRunner[]): Iterable<ClaimGroup> {
  for (const [host, members] of Map.groupBy(runners, (runner) => runner.host)) {
    for (let start = 0; start < members.length; start += CLAIMS_MAX) {
      const planned = members.slice(start, start + CLAIMS_MAX)
      yield { host, planned, holds: planned.map(holdOf) }
    }
  }
}

/** The reservations of these runners, each with the count that is still unplaced. */
function regrant(runners: readonly PlannedRunner[]): readonly Reservation[] {
  const groups = Map.groupBy(runners, (runner) => runner.reservation)
  return [...groups].flatMap(([reservation, members]) =>
    reservation === null ? [] : [{ ...reservation, count: members.length }],
  )
}

function sayUnplaced(loop: Loop, refusal: Refusal): void {
  loop.hub.log.emit({ name: 'demand.unplaced', ...refusalFields(refusal) })
}
