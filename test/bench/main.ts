/**
 * `npm run bench`: the budgets of Slipway, measured with real containers as ratios to what the engine alone takes.
 * Leaves nothing behind, also when it is interrupted. What is measured and how stands in docs/benchmark.md.
 */
import { runCommand } from '../../cli/run-command.ts'
import { Closers } from '../../local/closers.ts'
import { machineFacts } from './machine.ts'
import { openBench } from './open-bench.ts'
import { type Options, parseOptions, type Part } from './options.ts'
import { measureBursts } from './parts/bursts.ts'
import { measureFullFleet } from './parts/full-fleet.ts'
import { measureMemory } from './parts/memory.ts'
import { measurePlanner } from './parts/planner.ts'
import { measureRemoval } from './parts/removal.ts'
import { measureRestart } from './parts/restart.ts'
import { measureSingle } from './parts/single.ts'
import type { Results } from './results.ts'
import { describe } from './table.ts'

const options = parseOptions(process.argv.slice(2))
const output = options.json ? process.stderr : process.stdout
const beganMs = performance.now()

await runCommand(async ({ shutdown }) => {
  const closers = new Closers()
  try {
    const results = await measure(options, closers, shutdown)
    output.write(describe(results))
    if (options.json) process.stdout.write(`${JSON.stringify(results)}\n`)
    return 0
  } catch (thrown) {
    if (!shutdown.aborted) throw thrown
    say('interrupted')
    return 130
  } finally {
    await closers.close()
  }
})

function say(line: string): void {
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0)
  output.write(`${seconds.padStart(5)} s  ${line}\n`)
}

async function measure(
  { parts, sizes, protocols, shape, bursts, trials, samples, restarts, cpuProf, logs }: Options,
  closers: Closers,
  signal: AbortSignal,
): Promise<Results> {
  const bench = await openBench({ profiles: cpuProf, logs, shape, signal, closers, say })
  const machine = await machineFacts(bench.docker)
  const largest = Math.max(...sizes)
  const part = async <T>(name: Part, work: () => T | Promise<T>, absent: T): Promise<T> => {
    return parts.includes(name) ? work() : absent
  }
  const none = { floors: [], bursts: [] }
  const single = await part('single', () => measureSingle(bench, samples), null)
  const plan = { sizes, protocols, bursts, trials }
  const measured = await part('bursts', () => measureBursts(bench, plan), none)
  const fullFleet = await part('full-fleet', () => measureFullFleet(bench, samples), null)
  const restart = await part('restart', () => measureRestart(bench, largest, restarts), null)
  const removal = await part('removal', () => measureRemoval(bench, largest), null)
  const memory = await part('memory', () => measureMemory(bench, largest), null)
  const planner = await part('planner', () => measurePlanner(say), [])
  return { machine, ...measured, single, fullFleet, restart, removal, planner, memory }
}
