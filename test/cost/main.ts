/**
 * `npm run cost`: what a hub on AWS costs. Its handlers run on the embedded database in virtual time, with simulated
 * hosts and jobs; what AWS would bill is counted, and priced by lib/prices.ts.
 */
import { runCommand } from '../../bin/run.ts'
import { MODES } from '../../lambdas/control-loop/env.ts'
import { estimate } from './estimate.ts'
import { measureIdle, measureJobs } from './measure.ts'
import { parseOptions } from './options.ts'
import { readStackFacts } from './stack-facts.ts'
import { describe } from './words.ts'

const options = parseOptions(process.argv.slice(2))
const output = options.json ? process.stderr : process.stdout

await runCommand(async () => {
  process.stderr.write('synthesizing the stack …\n')
  const stack = await readStackFacts()
  const { hosts } = options
  const idle: Record<string, Awaited<ReturnType<typeof measureIdle>>> = {}
  for (const mode of MODES) {
    process.stderr.write(`metering an idle hub, ${mode} …\n`)
    idle[mode] = await measureIdle({ hosts, mode, sizes: stack.sizes })
  }
  process.stderr.write('metering jobs …\n')
  const perThousandJobs = await measureJobs({ hosts, sizes: stack.sizes })
  const { auto, continuous, economy } = idle
  if (auto === undefined || continuous === undefined || economy === undefined)
    throw new Error('A mode was not metered.')
  const result = estimate(options, { idle: { auto, continuous, economy }, perThousandJobs }, stack)
  output.write(describe(result))
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  return 0
})
