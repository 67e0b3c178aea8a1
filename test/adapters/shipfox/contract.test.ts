import { createShipfoxSource } from '../../../adapters/shipfox/index.ts'
import { Secret } from '../../../core/model/index.ts'
import { type ProtocolGeneration, type Sandbox, startSandbox } from '../../../sandbox/index.ts'
import { describeSource, type GoodMint, type JobAtWork, type SourceBench } from '../../contract/source.ts'
import { startFaultProxy } from '../../sandbox/fault-proxy.ts'
import { optionsFor, TOKEN } from './support.ts'

const PATHS: Record<Parameters<SourceBench['loseNextAnswer']>[0], RegExp> = {
  poll: /\/demand\/poll$/,
  mint: /\/(runner-registration-tokens|runner-instances)\/batch$/,
  report: /\/report$/,
  reconcile: /\/reconcile$/,
}

for (const protocol of ['v1', 'v2'] as const)
  describeSource(`shipfox ${protocol}`, async () => {
    const sandbox = await startSandbox({ protocol, dataDir: null, provisionerToken: new Secret(TOKEN) })
    const proxy = await startFaultProxy(sandbox.url)
    // A call on a kept connection that breaks is sent once more, so a lost answer has to be lost twice.
    const times = { poll: 1, mint: 1, report: 2, reconcile: 2 }
    return {
      source: createShipfoxSource(optionsFor(proxy.url)),
      queue: async (labels, count) => {
        sandbox.enqueue(Array.from({ length: count }, () => ({ labels, command: 'true' })))
      },
      takeJob: (mint) => takeJob(sandbox, protocol, mint),
      loseNextAnswer: (method) =>
        proxy.inject({ fault: { kind: 'lost-reply' }, path: PATHS[method], times: times[method] }),
      revokeToken: async () => sandbox.revokeToken(),
      shutDown: () => proxy.close(),
      close: async () => {
        await proxy.close()
        await sandbox.close()
      },
    }
  })

/** The runner's side of the protocol. */
async function takeJob(
  sandbox: Sandbox,
  protocol: ProtocolGeneration,
  mint: GoodMint,
): Promise<JobAtWork | null> {
  const { url } = sandbox
  const labels = mint.env['SHIPFOX_RUNNER_LABELS']!.split(',')
  const token =
    protocol === 'v1' ? reveal(mint, 'SHIPFOX_RUNNER_REGISTRATION_TOKEN') : await enrol(url, mint, labels)
  const { session_token: session } = await post(url, '/runners/register', token, { labels })
  const job = await post(url, '/runners/jobs/request', session, {})
  if (job['job_id'] === undefined) return null
  return {
    cancel: async () => void sandbox.cancel(job['job_id'] ?? ''),
    finish: async () => {
      await post(url, '/runners/jobs/complete', job['lease_token'], {
        exit_code: 0,
        output: '',
        interrupted: false,
      })
    },
  }
}

async function enrol(url: string, mint: GoodMint, labels: string[]): Promise<string> {
  const { control_session_token: control } = await post(url, '/runner-enrollment/exchange', undefined, {
    bootstrap_token: reveal(mint, 'SHIPFOX_RUNNER_BOOTSTRAP_TOKEN'),
  })
  const { activation_token: activation } = await post(url, '/runner-control/enrollment', control, {
    labels,
    provider_kind: mint.env['SHIPFOX_RUNNER_PROVIDER_KIND'],
    protocol_version: 1,
  })
  return activation ?? ''
}

function reveal(mint: GoodMint, name: string): string {
  return mint.secretEnv[name]!.reveal()
}

async function post(
  url: string,
  path: string,
  token: string | undefined,
  body: unknown,
): Promise<Record<string, string>> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return text === '' ? {} : JSON.parse(text)
}
