import * as z from 'zod'
import { createSignedFetch } from '../../adapters/aws-request/index.ts'
import { HealthAnswer, HostsAnswer } from '../../protocol/hub-api.ts'
import type { Place } from '../e2e/support.ts'
import type { PretendedAws } from './pretended-aws.ts'

/** What `slipway hosts add --json` prints. */
const Added = z.looseObject({ token: z.string() })

/** Somebody who works with the hub from a terminal, and has every right. */
export class Operator {
  readonly #aws: PretendedAws
  readonly #place: Place

  constructor(aws: PretendedAws, place: Place) {
    this.#aws = aws
    this.#place = place
  }

  /** Runs `slipway` with these arguments, and resolves with what it printed. Throws when it fails. */
  async command(args: readonly string[], input: string | null = null): Promise<string> {
    const env = {
      ...this.#aws.operatorEnv,
      SLIPWAY_API_URL: this.#aws.apiUrl,
      AWS_EC2_METADATA_DISABLED: 'true',
    }
    const run = this.#place.slipway(args, env, input)
    const { code } = await run.end()
    if (code !== 0) throw new Error(`slipway ${args.join(' ')}: exit code ${code}\n${run.output}`)
    return run.stdout
  }

  async setSecret(source: string, value: string): Promise<void> {
    await this.command(['secret', 'set', source], value)
  }

  async applyTemplates(text: string): Promise<void> {
    const file = await this.#place.write('templates.yaml', text)
    await this.command(['templates', 'apply', file, '--yes'])
  }

  /** Resolves with the agent's token. */
  async addHost(host: string): Promise<string> {
    return Added.parse(JSON.parse(await this.command(['hosts', 'add', host, '--json']))).token
  }

  async hosts(): Promise<HostsAnswer['hosts']> {
    return HostsAnswer.parse(await this.#get('/api/hosts')).hosts
  }

  async health(): Promise<HealthAnswer> {
    const response = await fetch(`${this.#aws.apiUrl}/health`)
    return HealthAnswer.parse(await response.json())
  }

  async #get(path: string): Promise<unknown> {
    const { AWS_REGION: region = '' } = this.#aws.operatorEnv
    const send = createSignedFetch({
      service: 'execute-api',
      region,
      credentials: async () => this.#credentials,
    })
    const response = await send({ method: 'GET', url: `${this.#aws.apiUrl}${path}` })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${JSON.stringify(answer)}`)
    return answer
  }

  get #credentials(): { accessKeyId: string; secretAccessKey: string } {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
      this.#aws.operatorEnv
    return { accessKeyId, secretAccessKey }
  }
}
