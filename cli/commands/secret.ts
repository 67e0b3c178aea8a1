import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text as readAll } from 'node:stream/consumers'
import * as z from 'zod'
import { provisionerToken } from '../../config/index.ts'
import { messageOf, type Secret, SlipwayError } from '../../core/model/index.ts'
import { SecretsAnswer } from '../../protocol/hub-api.ts'
import { parameterStoreEndpoint } from '../../adapters/ssm/index.ts'
import { createSignedFetch } from '../../adapters/aws-request/index.ts'
import { credentialsOf, regionOf } from '../hub-client/aws.ts'
import { openHubClient } from '../hub-client/client.ts'
import type { HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { asJson } from './print.ts'

const CALL_MAX_MS = 10_000

/**
 * `slipway secret set NAME`: stores a source's token in the parameter that the hub's stack reads. The value comes from
 * stdin or a prompt without echo, never from the command line, which every user of the machine can read.
 */
export async function setSecretCommand(name: string, flags: HubFlags, io: CommandIo): Promise<number> {
  const hub = openHubClient(flags, io)
  const { secrets } = await hub.get('/api/secrets', SecretsAnswer)
  const parameter = findParameter(name, secrets)
  if (hub.target.kind !== 'url') throw new SlipwayError('secret-elsewhere', ELSEWHERE)
  const value = checked(await readValue(parameter, io))
  const version = await store(parameter, value, regionOf(hub.target.url, io.env), io)
  if (flags.json) io.stdout.write(asJson({ parameter, version }))
  else
    io.stdout.write(
      `Stored as version ${version} of ${parameter}. The hub uses it within five minutes. Check with: slipway doctor\n`,
    )
  return 0
}

const ELSEWHERE =
  'A hub on one machine reads its token from its environment: set SHIPFOX_PROVISIONER_TOKEN and restart it. ' +
  'For a deployed hub, set --hub or SLIPWAY_API_URL.'

function findParameter(name: string, secrets: SecretsAnswer['secrets']): string {
  const found = secrets.find(({ source, parameter }) => source === name || parameter === name)
  if (found === undefined) {
    const known = secrets.map(({ source, parameter }) =>
      parameter === null ? source : `${source} (${parameter})`,
    )
    throw new SlipwayError(
      'secret-unknown',
      `The hub has no secret "${name}". It has: ${known.join(', ') || 'none. Configure a source in its settings first'}.`,
    )
  }
  if (found.parameter === null) throw new SlipwayError('secret-elsewhere', ELSEWHERE)
  return found.parameter
}

async function readValue(parameter: string, { stdin, stderr }: CommandIo): Promise<string> {
  if (!stdin.isTTY) return (await readAll(stdin)).trim()
  stderr.write(`Value of ${parameter} (input is not shown): `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: stdin, output: silent, terminal: true })
  try {
    return await new Promise((resolve) => {
      terminal.once('line', (line) => resolve(line.trim()))
      terminal.once('close', () => resolve(''))
    })
  } finally {
    terminal.close()
    stderr.write('\n')
  }
}

/** Rejects a wrong kind of token here, before the hub fails with it. */
function checked(text: string): Secret {
  if (text === '') throw new SlipwayError('secret-empty', 'The value is empty. Nothing was stored.')
  const token = provisionerToken(text)
  if (token.ok) return token.value
  throw new SlipwayError(
    'secret-invalid',
    `The value ${token.message}; expected ${token.expected}. Nothing was stored.`,
  )
}

const Stored = z.object({ Version: z.int() })
/** `__type` may have a prefix that ends with `#`. */
const Refused = z.looseObject({ message: z.string().optional(), __type: z.string() })

async function store(parameter: string, value: Secret, region: string, { env }: CommandIo): Promise<number> {
  const send = createSignedFetch({ service: 'ssm', region, credentials: credentialsOf() })
  const url = `${parameterStoreEndpoint(region, env['AWS_ENDPOINT_URL_SSM'])}/`
  const body = { Name: parameter, Value: value.reveal(), Type: 'SecureString', Overwrite: true }
  try {
    const response = await send({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AmazonSSM.PutParameter' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MAX_MS),
    })
    const answer: unknown = await response.json()
    if (response.ok) return Stored.parse(answer).Version
    throw refusalOf(parameter, Refused.parse(answer))
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause
    const what = `Parameter Store at ${url} gave no valid answer (${messageOf(cause)}), so it is unknown whether the value was stored. Try again.`
    throw new SlipwayError('secret-not-stored', what, { cause })
  }
}

function refusalOf(parameter: string, refused: z.infer<typeof Refused>): SlipwayError {
  const why = `${refused['__type'].split('#').at(-1)} ${refused.message ?? ''}`.trim()
  return new SlipwayError(
    'secret-not-stored',
    `Parameter Store refused to store ${parameter}: ${why}. Your AWS identity needs ssm:PutParameter on this parameter.`,
  )
}
