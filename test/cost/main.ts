/**
 * `npm run cost`: what a hub on AWS costs. Its handlers run on the embedded database in virtual time, with simulated
 * hosts and jobs; what AWS would bill is counted, and priced by lib/prices.ts.
 */
import { runCommand } from '../../cli/run-command.ts'
import { estimate } from './estimate.ts'
import { measure } from './measure.ts'
import { parseOptions } from './options.ts'
import { readStackFacts } from './stack-facts.ts'
import { describe } from './words.ts'

const options = parseOptions(process.argv.slice(2))
const output = options.json ? process.stderr : process.stdout

await runCommand(async () => {
  process.stderr.write('synthesizing the stack …\n')
  const stack = await readStackFacts()
  const measured = await measure({ hosts: options.hosts, sizes: stack.sizes }, (what) => {
    process.stderr.write(`metering ${what} …\n`)
  })
  const result = estimate(options, measured, stack)
  output.write(describe(result))
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  return 0
})
