/**
 * The sandbox source in a process of its own, with a lease of its jobs that a test can wait for.
 * Arguments: protocol, folder, address, lease in ms. Prints one JSON object a line: where it listens, then its events.
 */
import { argv, stdout } from 'node:process'
import { startSandbox } from '../../../sandbox/index.ts'

const [, , protocol, dataDir = null, host = '127.0.0.1', jobLeaseMs = '60000'] = argv

function tell(event: string, fields: object): void {
  stdout.write(`${JSON.stringify({ at: new Date().toISOString(), event, ...fields })}\n`)
}

const sandbox = await startSandbox({
  protocol: protocol === 'v1' ? 'v1' : 'v2',
  dataDir,
  host,
  jobLeaseMs: Number(jobLeaseMs),
  onEvent: ({ at: _at, type, ...fields }) => tell(type, fields),
})
tell('source.listening', { url: sandbox.url, port: sandbox.port, token: sandbox.token.reveal() })
