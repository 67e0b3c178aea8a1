import { join } from 'node:path'
import { bundleAgent } from '../../../bin/agent/bundle.ts'
import type { Bench } from '../bench.ts'
import { endBurst, startBurst } from '../burst.ts'
import { Fleet } from '../fleet.ts'
import { judge, type MemoryResult } from '../results.ts'
import type { SlipwayProcess } from '../slipway-process.ts'
import { pause } from '../../support/eventually.ts'

const AGENT_BUDGET_MB = 90
/** Time for garbage to be collected, as in an hour-long job. */
const SETTLE_MS = 10_000

/** Resident memory of the hub, from its sources, and of the agent as it is shipped: idle, and while containers run. */
export async function measureMemory(bench: Bench, containers: number): Promise<MemoryResult> {
  const agentBundle = join(bench.folder, 'slipway-agent.mjs')
  await bundleAgent(agentBundle)
  const fleet = await Fleet.open(bench, { protocol: 'v2', shape: 'apart', runnersMax: null, agentBundle })
  await pause(SETTLE_MS, bench.signal)
  const idle = { hub: await now(fleet.hub), agent: await now(fleet.agent) }
  const burst = await startBurst(fleet, containers)
  await pause(SETTLE_MS, bench.signal)
  const busy = { hub: await fleet.hub.memoryMb(), agent: await fleet.agent.memoryMb() }
  await endBurst(fleet, burst)
  await fleet.close()
  const hubMb = { idle: idle.hub, busy: busy.hub.now, peak: busy.hub.peak }
  const agentMb = { idle: idle.agent, busy: busy.agent.now, peak: busy.agent.peak }
  const told = (name: string, { idle: before, busy: then, peak }: MemoryResult['hubMb']): void =>
    bench.say(
      `memory   ${name}: idle ${before} MB, with ${containers} containers ${then} MB, at most ${peak} MB`,
    )
  told('hub', hubMb)
  told('agent', agentMb)
  const verdict = judge(`agent's memory with ${containers} containers (MB)`, agentMb.busy, AGENT_BUDGET_MB)
  return { hubMb, agentMb, containers, verdict }
}

async function now(one: SlipwayProcess): Promise<number> {
  return (await one.memoryMb()).now
}
