import type {
  HostId,
  HubMessage,
  LaunchOrder,
  Runner,
  RunnerId,
  RunnerReport,
} from '../../../core/model/index.ts'
import type { SimAgent } from '../world/sim-agent.ts'
import type { SimSource } from '../world/sim-source.ts'
import type { CheckerBook } from './checker-book.ts'
import { fits } from './hosts.ts'

/** Inv. 7 and 9: a command follows what was written down, and names runners of that host alone. */
export function checkPost(checker: CheckerBook, host: HostId, message: HubMessage): void {
  for (const id of namedIn(message)) {
    const runner = checker.runners.get(id)
    checker.expect(runner?.host === host, 9, `a ${message.type} to ${host} names ${id}, which is not its own`)
    if (runner === undefined) continue
    if (message.type === 'launch')
      checker.expect(
        runner.state !== 'reserved',
        7,
        `the launch of ${id} was posted before it was written down`,
      )
    if (message.type === 'stop')
      checker.expect(isOrdered(runner), 7, `the stop of ${id} was posted before it was written down`)
  }
}

function namedIn(message: HubMessage): readonly RunnerId[] {
  if (message.type === 'launch') return message.launches.map(({ runner }) => runner)
  if (message.type === 'stop') return message.runners.map(({ runner }) => runner)
  return message.type === 'settle' ? message.runners : []
}

function isOrdered(runner: Runner): boolean {
  return runner.state === 'gone' || runner.stop !== null
}

/** Inv. 5: a launch that an agent obeys is for a runner that still waits for it. */
export function checkLaunched(checker: CheckerBook, id: RunnerId): void {
  const state = checker.runners.get(id)?.state ?? 'unknown'
  const isAwaited = state === 'dispatched' || state === 'running'
  const knows = [...checker.scene.agents.values()].some(
    ({ containers, refused }) => containers.has(id) || refused.has(id),
  )
  checker.expect(isAwaited || knows, 5, `the launch of ${id} was obeyed while it is ${state}`)
}

/** Inv. 3 and 8: what starts fits, has its slot, and was not given up. */
export function checkStart(checker: CheckerBook, agent: SimAgent, { runner }: LaunchOrder): void {
  const host = checker.hosts.get(agent.host)
  const held = agent.holding.map(({ order }) => order.origin)
  const isWithin = fits(held, agent.capacity)
  checker.expect(isWithin, 3, `${agent.host} holds ${held.length} containers, which is more than it has`)
  checker.expect(host?.slots.has(runner) === true, 3, `${runner} was started and has no slot`)
  const state = checker.runners.get(runner)?.state
  checker.expect(state !== 'gone', 8, `${runner} was started after it had been given up`)
}

/** Inv. 4: a container that runs is stopped on a written order alone. */
export function checkStop(checker: CheckerBook, agent: SimAgent, id: RunnerId): void {
  const runner = checker.runners.get(id)
  const runs = agent.containers.get(id)?.phase === 'running'
  const isOrder = runner !== undefined && runner.state !== 'gone' && runner.stop !== null
  checker.expect(!runs || isOrder, 4, `${id} was stopped while it runs, and nobody ordered it`)
}

/** Inv. 9 and 14: a source hears of its own runners, and of each what is written down. */
export function checkReport(checker: CheckerBook, source: SimSource, { id, state }: RunnerReport): void {
  const runner = checker.runners.get(id)
  checker.expect(runner?.source === source.id, 9, `${source.id} was told of ${id}, which is not its own`)
  if (runner === undefined) return
  const isHonest = mayBeTold(runner, state)
  checker.expect(isHonest, 14, `${source.id} was told that ${id} is ${state}, and it is ${runner.state}`)
}

/** What may be said of a runner: how it ended, or where it was on its way there. */
function mayBeTold(runner: Runner, state: RunnerReport['state']): boolean {
  if (state === 'stopped' || state === 'failed' || state === 'terminated')
    return runner.state === 'gone' && endToTell(runner) === state
  if (state === 'stopping') return isOrdered(runner)
  if (state === 'running') return runner.state === 'running' || runner.state === 'gone'
  return runner.state !== 'reserved'
}

/** As docs/protocol.md and the sources mean it: a good end, an end that was ordered, or any other. */
export function endToTell(runner: Extract<Runner, { state: 'gone' }>): RunnerReport['state'] {
  if (runner.outcome === 'finished') return 'stopped'
  return runner.code === 'stopped' ? 'terminated' : 'failed'
}
