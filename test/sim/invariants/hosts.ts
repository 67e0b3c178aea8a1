import type { Host, SlotSize } from '../../../core/model/index.ts'
import type { FleetStore } from '../../../core/ports/index.ts'
import type { CheckerBook } from './checker-book.ts'

type Claim = Parameters<FleetStore['claimSlots']>[0]

/** A claim that took effect. */
export function checkClaim(
  checker: CheckerBook,
  { fence, epoch }: Claim,
  before: Host | undefined,
  after: Host,
) {
  const { id } = after
  const isCurrent = before?.fence === fence && before.epoch === epoch
  checker.expect(isCurrent, 5, `slots of ${id} were claimed under ${epoch}/${fence}, which is not its own`)
  const isLast = fence >= checker.highest.claim
  checker.expect(isLast, 10, `slots of ${id} were claimed under ${fence} after ${checker.highest.claim}`)
  checker.highest.claim = Math.max(checker.highest.claim, fence)
  checkRoom(checker, after)
}

/** Inv. 3: what is claimed fits. What a container really holds is written down whatever room there is. */
function checkRoom(checker: CheckerBook, { id, slots, capacity }: Host): void {
  checker.expect(fits([...slots.values()], capacity), 3, `${slots.size} slots of ${id} are more than it has`)
}

export function fits(held: readonly SlotSize[], capacity: Host['capacity']): boolean {
  const cpuMillis = held.reduce((sum, one) => sum + one.cpuMillis, 0)
  const memoryMib = held.reduce((sum, one) => sum + one.memoryMib, 0)
  return held.length <= capacity.runners && cpuMillis <= capacity.cpuMillis && memoryMib <= capacity.memoryMib
}

/** Inv. 5, at any write to a host: nothing that fences falls. */
export function checkHost(checker: CheckerBook, before: Host, after: Host): void {
  for (const what of ['fence', 'epoch', 'revision'] as const)
    checker.expect(after[what] >= before[what], 5, `the ${what} of ${after.id} fell to ${after[what]}`)
  const isDead = after.state === 'dead' && before.state !== 'dead'
  checker.expect(
    !isDead || before.state === 'offline',
    8,
    `${after.id} was declared dead while ${before.state}`,
  )
}

/**
 * Inv. 3: a host never has fewer slots than containers known to the hub. The runners of a dead host are declared lost: it is let in
 * again only once its snapshot has told what it holds.
 */
export function checkSlots(checker: CheckerBook, before: Host | undefined, after: Host): void {
  const holding = checker.scene.agents.get(after.id)?.holding ?? []
  const held = new Set(holding.map(({ order }) => order.runner))
  for (const id of before?.slots.keys() ?? []) {
    if (after.slots.has(id)) continue
    const state = checker.runners.get(id)?.state ?? 'gone'
    checker.expect(state === 'gone', 3, `the slot of ${id} was freed while it is ${state}`)
    const isHeld = held.has(id) && after.state !== 'dead'
    checker.expect(!isHeld, 3, `the slot of ${id} was freed while its container is there`)
  }
  if (before?.state === 'online' || after.state !== 'online') return
  for (const id of held)
    checker.expect(after.slots.has(id), 3, `${after.id} was opened without a slot for ${id}, which it holds`)
}
