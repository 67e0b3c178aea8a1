import {
  CLAIMS_MAX,
  type EndCode,
  type HostId,
  type Reservation,
  type ReservedRunner,
  type SlotClaim,
  newRunnerId,
} from '../../model/index.ts'
import { type ClaimPlan, type CapacityPromise, type PlannedRunner, planClaims } from '../../plan/index.ts'
import type { HostStore, RunnerStore } from '../../ports/index.ts'
import type { Planner } from '../planner/planner.ts'
import type { SourceState } from '../planner/source-state.ts'
import { refusalFields } from '../source-events.ts'
import { forEachLimited, WRITES_AT_ONCE } from '../../concurrency/limit.ts'

/** Attempts to place a unit whose host changed after it was planned. */
const CLAIM_ATTEMPTS = 3
/** Why a granted unit is given back: each of its attempts met a host that had changed. */
const NO_PLACE = 'The hosts that were chosen no longer had the capacity when it was claimed.'
/** A reservation that ends sooner gets no token: it would expire before the container has started (R2). */
const MINT_MARGIN_MS = 5_000

export type ClaimParts = Pick<
  Planner,
  'clock' | 'random' | 'log' | 'lease' | 'fleet' | 'claims' | 'inputs' | 'runners'
> & { readonly store: Pick<HostStore, 'claimSlots' | 'getHost'> & Pick<RunnerStore, 'putRunner'> }

/** Places granted units and queues them for their mint: claim first, then the runner's item. */
export async function launchGranted(
  parts: ClaimParts,
  state: SourceState,
  granted: readonly Reservation[],
  promised: readonly CapacityPromise[],
): Promise<void> {
  const { log, inputs } = parts
  let rest = granted
  let slots = promised
  for (let attempt = 1; rest.length > 0 && attempt <= CLAIM_ATTEMPTS; attempt += 1) {
    const plan = planClaims(inputs.world(), state.id, rest, inputs.promisedBeside(state), slots)
    slots = []
    for (const refusal of plan.refusals) log.emit({ name: 'demand.unplaced', ...refusalFields(refusal) })
    rest = regrant(await launchPlanned(parts, state, plan))
  }
  for (const { labels, count } of rest)
    log.emit({ name: 'demand.unplaced', source: state.id, labels, count, reason: NO_PLACE })
}

/** Warm runners that can't be placed now are planned again after the next poll. */
export async function launchWarm(parts: ClaimParts, state: SourceState, plan: ClaimPlan): Promise<void> {
  await launchPlanned(parts, state, plan)
}

/** Resolves with the runners whose host did not accept the claim. */
async function launchPlanned(
  parts: ClaimParts,
  state: SourceState,
  plan: ClaimPlan,
): Promise<readonly PlannedRunner[]> {
  const { fleet, claims } = parts
  fleet.lastHost = plan.lastHost
  const groups = [...claimGroups(plan.runners)]
  for (const { promises } of groups) for (const promise of promises) claims.add(promise)
  const unclaimed: PlannedRunner[] = []
  await forEachLimited(groups, WRITES_AT_ONCE, async ({ host, planned, promises }) => {
    const release = (): void => {
      for (const promise of promises) claims.delete(promise)
    }
    try {
      if (!(await claimOnHost(parts, state, { host, planned }, release))) unclaimed.push(...planned)
    } finally {
      release()
    }
  })
  return unclaimed
}

/** `onClaimed`: the slots now stand in the host's item, and in the cache. False: the host did not accept the claim. */
async function claimOnHost(
  parts: ClaimParts,
  state: SourceState,
  { host: id, planned }: Pick<ClaimGroup, 'host' | 'planned'>,
  onClaimed: () => void,
): Promise<boolean> {
  const { store, clock, lease, fleet } = parts
  const epoch = fleet.host(id)?.epoch
  if (epoch === undefined || !lease.holds()) return false
  const runners = planned.map((plan) => reserve(parts, plan))
  const claims = runners.map(claimOf)
  const host = await store.claimSlots({ host: id, fence: lease.fence, epoch, claims, now: clock.now() })
  if (host === null) {
    await readAgain(parts, id)
    return false
  }
  fleet.applyHost(host)
  for (const [index, runner] of runners.entries()) {
    const queuedAt = state.oldestQueuedAt(planned[index]?.reservation?.labels ?? [])
    if (queuedAt !== null) parts.runners.noteQueuedAt(runner.id, queuedAt)
    parts.runners.advance(runner)
  }
  onClaimed()
  await storeAndQueue(parts, state, runners)
  return true
}

function claimOf({ id, template, cpuMillis, memoryMib }: ReservedRunner): SlotClaim {
  return { runner: id, slot: { template, cpuMillis, memoryMib } }
}

async function readAgain({ store, fleet }: Pick<ClaimParts, 'store' | 'fleet'>, id: HostId): Promise<void> {
  const host = await store.getHost(id)
  if (host === null) fleet.dropHost(id)
  else fleet.applyHost(host)
}

async function storeAndQueue(
  { store, clock, runners: updates }: ClaimParts,
  { mints }: SourceState,
  runners: readonly ReservedRunner[],
): Promise<void> {
  await forEachLimited(runners, WRITES_AT_ONCE, async (runner) => {
    const there = await store.putRunner(runner, clock.now())
    if (there === null) mints.enqueue(runner)
    else updates.advance(there)
  })
  mints.wake()
}

function reserve(
  { clock, random }: Pick<ClaimParts, 'clock' | 'random'>,
  { source, reservation, template, host }: PlannedRunner,
): ReservedRunner {
  const now = clock.now()
  return {
    state: 'reserved',
    id: newRunnerId(now, random.bytes(10)),
    template: template.key,
    host,
    source,
    labels: template.labels,
    ...template.size,
    reservation: reservation === null ? null : { id: reservation.id, expiresAt: reservation.expiresAt },
    reservedAt: now,
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

function promiseOf(runner: PlannedRunner): CapacityPromise {
  return { host: runner.host, slot: { template: runner.template.key, ...runner.template.size } }
}

interface ClaimGroup {
  readonly host: HostId
  readonly planned: readonly PlannedRunner[]
  readonly promises: readonly CapacityPromise[]
}

/** One group per host and claim. */
function* claimGroups(runners: readonly PlannedRunner[]): Iterable<ClaimGroup> {
  for (const [host, members] of Map.groupBy(runners, (runner) => runner.host)) {
    for (let start = 0; start < members.length; start += CLAIMS_MAX) {
      const planned = members.slice(start, start + CLAIMS_MAX)
      yield { host, planned, promises: planned.map(promiseOf) }
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
