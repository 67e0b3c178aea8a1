import { once } from 'node:events'
import { WebSocket } from 'ws'
import { type AgentMessage, fence } from '../../core/model/index.ts'
import { encodeAgentMessage } from '../../protocol/agent.ts'
import { type Job, type Sandbox, startSandbox } from '../../sandbox/index.ts'
import { demoJobs } from '../../demo/jobs.ts'
import { nodeLine, runIn } from '../docker/support/processes.ts'
import { openPlace, type Place, type Run } from '../e2e/support.ts'
import { eventually } from '../support/eventually.ts'
import { onBridge, statesOf } from '../e2e/world.ts'
import type { StartEnvironment } from './environment.ts'
import { Operator } from './operator.ts'
import { PretendedAws } from './pretended-aws.ts'
import { RUNNER_URL, SOURCE_URL } from './synthesize.ts'
import type { Assembly } from './template.ts'

const HOST = 'first'

/** A tenth of a CPU each, so that twenty jobs run at once on two cores. */
function demoTemplates(image: string): string {
  return `
defaults: { image: "${image}", cpu: 0.1, max_concurrency: 500, max_lifetime: 10m, stop_timeout: 5s, hosts: all }
templates:
  demo-small: { labels: [demo, small], memory: 64MiB }
  demo-large: { labels: [demo, large], memory: 128MiB, cost: 2 }
`
}

/** A hub as an assembly declares it, set up by an operator, with a source and one host. */
export class Scene {
  readonly aws: PretendedAws
  readonly operator: Operator
  readonly sandbox: Sandbox
  readonly place: Place
  /** Every secret that was handed out. */
  readonly secrets: { readonly source: string; agent: string }
  #agent: Run | null = null

  static async open(options: { assembly: Assembly; start: StartEnvironment }): Promise<Scene> {
    const sandbox = await startSandbox({ protocol: 'v2', dataDir: null, host: await onBridge() })
    const addresses = { [SOURCE_URL]: sandbox.url, [RUNNER_URL]: sandbox.url }
    const aws = await PretendedAws.open({ ...options, addresses })
    return new Scene({ aws, sandbox, place: await openPlace() })
  }

  private constructor({ aws, sandbox, place }: Pick<Scene, 'aws' | 'sandbox' | 'place'>) {
    this.aws = aws
    this.sandbox = sandbox
    this.place = place
    this.operator = new Operator(aws, place)
    this.secrets = { source: sandbox.token.reveal(), agent: '' }
  }

  get agent(): Run {
    if (this.#agent === null) throw new Error('No host was added.')
    return this.#agent
  }

  /** Gives the hub its templates and a host, and waits for the host's agent. */
  async setUp(image: string): Promise<void> {
    const { operator } = this
    await operator.applyTemplates(demoTemplates(image))
    this.secrets.agent = await operator.addHost(HOST)
    this.startAgent()
    await this.untilHostIs('online')
  }

  startAgent(): void {
    this.#agent = runIn(this.place, nodeLine('../../../bin/slipway.ts', 'agent'), {
      SLIPWAY_HUB_URL: this.aws.agentUrl,
      SLIPWAY_AGENT_TOKEN: this.secrets.agent,
      SLIPWAY_HOST_NAME: HOST,
      SLIPWAY_LOG: 'json',
    })
  }

  async untilHostIs(state: string): Promise<void> {
    await this.until(`the host is ${state}`, async () => (await this.operator.hosts())[0]?.state === state)
  }

  /** Another connection with the agent's own token and installation, as after a change of networks; one that says hello. */
  async connectAgain(): Promise<WebSocket> {
    const [install = ''] = await this.place.installs()
    const socket = new WebSocket(this.aws.agentUrl, {
      headers: { authorization: `Bearer ${this.secrets.agent}` },
    })
    await once(socket, 'open')
    const hello: AgentMessage = {
      type: 'hello',
      agentVersion: 'test',
      install,
      engine: { kind: 'docker', version: '1', bootId: 'boot' },
      capacity: { cpuMillis: 1_000, memoryMib: 1_024, runners: 1 },
      accepting: false,
      notAcceptingReason: 'It is a test.',
      fence: fence(0),
    }
    socket.send(encodeAgentMessage(hello))
    return socket
  }

  /** Runs demo jobs until the hub has forgotten nothing and nothing is left of them. */
  async runJobs(count: number): Promise<readonly Job[]> {
    if (this.agent.ending !== null) throw new Error(`The agent ended.\n${this.agent.output}`)
    this.sandbox.enqueue(demoJobs(count))
    await this.until(`${count} jobs end`, () =>
      this.sandbox.jobs().every(({ state }) => state !== 'queued' && state !== 'claimed'),
    )
    await this.until('the source is told of every end', () => this.sandbox.stats().activeRunners === 0)
    await this.until('the host is empty', async () => (await this.operator.hosts())[0]?.used.runners === 0)
    await this.until('no container is left', async () => (await this.place.containers()).length === 0)
    return this.sandbox.jobs()
  }

  /** As `eventually`, with what the hub said last when it never comes. */
  async until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await eventually(what, look)
    } catch (cause) {
      const { lambda, gatewayEvents } = this.aws
      const lines = lambda.lines.slice(-40).map(({ functionId, text }) => `${functionId}: ${text}`)
      const failures = lambda.invocations
        .filter(({ outcome }) => outcome !== 'answered')
        .map((one) => JSON.stringify(one))
      const jobs = statesOf(this.sandbox.jobs()).join()
      const parts = [
        String(cause),
        `jobs: ${jobs}`,
        ...failures,
        ...gatewayEvents.slice(-10).map((one) => JSON.stringify(one)),
        ...lines,
      ]
      throw new Error(parts.join('\n'), { cause })
    }
  }

  async close(): Promise<void> {
    await this.place.close()
    await this.aws.close()
    await this.sandbox.close()
  }
}
