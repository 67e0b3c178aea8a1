/** A sandbox in a process of its own, to be killed: prints its URL, queues a job per line of its input. */
import { createInterface } from 'node:readline'
import { Secret } from '../../core/model/secret.ts'
import { startSandbox } from '../../sandbox/index.ts'

const [protocol, dataDir, token] = process.argv.slice(2)
const sandbox = await startSandbox({
  protocol: protocol === 'v1' ? 'v1' : 'v2',
  dataDir: dataDir ?? null,
  provisionerToken: new Secret(token ?? ''),
})
process.stdout.write(`${sandbox.url}\n`)
createInterface({ input: process.stdin }).on('line', (line) => {
  sandbox.enqueue([{ labels: ['linux'], command: line }])
})
