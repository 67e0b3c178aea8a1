import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { HealthAnswer, HostsAnswer, SecretsAnswer, TemplatesAnswer } from '../../protocol/hub-api.ts'
import { type HubClient, readAnswer } from '../hub-client/client.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** Above the first, times shown are misleading; AWS refuses signatures that are more than five minutes off. */
const SKEW_WARN_MS = 30_000
const SKEW_MAX_MS = 4 * 60_000

/** Codes of an API that rejects the caller's credentials. */
const REFUSALS: ReadonlySet<string> = new Set(['hub-refused', 'unauthorized'])

/** What the hub reports about itself. `skewMs`: the hub's clock minus this machine's; null = unknown. */
export interface HubFacts {
  readonly health: HealthAnswer
  readonly skewMs: number | null
  readonly secrets: SecretsAnswer['secrets']
  readonly hosts: HostsAnswer['hosts']
  readonly templates: TemplatesAnswer
}

export async function examineHub(
  client: HubClient,
): Promise<{ facts: HubFacts | null; findings: readonly Finding[] }> {
  const where = client.target.kind === 'url' ? client.target.url : client.target.path
  try {
    const askedAt = Date.now()
    const response = await client.raw({ method: 'GET', path: '/health' })
    const skewMs = response.date === null ? null : response.date - (askedAt + Date.now()) / 2
    const health = readAnswer(response, HealthAnswer)
    const clock = examineClock(skewMs)
    try {
      const [{ secrets }, { hosts }, templates] = await Promise.all([
        client.get('/api/secrets', SecretsAnswer),
        client.get('/api/hosts', HostsAnswer),
        client.get('/api/templates', TemplatesAnswer),
      ])
      const facts = { health, skewMs, secrets, hosts, templates }
      return { facts, findings: [examineLoop(health, where), ...clock] }
    } catch (thrown) {
      const isRefused = thrown instanceof SlipwayError && REFUSALS.has(thrown.code)
      const advice = isRefused
        ? 'The hub is up, but its API refused you: the message above says why.'
        : 'The hub is up, but its API fails: try again, and check the log of the hub (http-api on AWS).'
      const refused = fail('hub', messageOf(thrown), advice)
      return { facts: null, findings: [examineLoop(health, where), refused, ...clock] }
    }
  } catch (thrown) {
    return {
      facts: null,
      findings: [fail('hub', messageOf(thrown), 'Start the hub, or select another one with --hub.')],
    }
  }
}

function examineLoop({ loop, build }: HealthAnswer, where: string): Finding {
  const name = `${where} (build ${build})`
  switch (loop.state) {
    case 'working':
      return ok('hub', `${name} is working`)
    case 'idle':
      return ok('hub', `${name} is idle and checks for jobs every minute`)
    case 'never-started':
      return warn(
        'hub',
        `${name}: its control loop has not run yet`,
        'A new hub starts within two minutes. If it does not, check the log of control-loop.',
      )
    case 'stopped':
      return fail(
        'hub',
        `${name}: its control loop has stopped`,
        'See docs/runbook.md, "loop-silent"; on one machine, restart the hub.',
      )
  }
}

function examineClock(skewMs: number | null): readonly Finding[] {
  if (skewMs === null)
    return [warn('clock', 'the hub sent no Date header', 'A proxy between here and the hub may remove it.')]
  // A Date header has a resolution of one second.
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const text = `this machine's clock and the hub's differ by ${seconds} s`
  if (Math.abs(skewMs) > SKEW_MAX_MS)
    return [
      fail(
        'clock',
        text,
        'Set the clock (timedatectl set-ntp true): AWS refuses requests signed with such a clock.',
      ),
    ]
  if (Math.abs(skewMs) > SKEW_WARN_MS)
    return [warn('clock', text, 'Set the clock: timedatectl set-ntp true.')]
  return [ok('clock', text)]
}

/** Whether each source accepts the hub's token. */
export function examineTokens({ health, secrets }: HubFacts): readonly Finding[] {
  if (health.sources.length === 0)
    return [
      fail(
        'token',
        'the hub has no source',
        'Configure a source in the settings of the hub, then deploy or restart it.',
      ),
    ]
  return health.sources.map(({ source, state, parameter, code }): Finding => {
    switch (state) {
      case 'ok':
        return ok('token', `source ${source} accepts the hub's token`)
      case 'secret-missing':
        return fail(
          'token',
          `no token for source ${source} is stored (${parameter})`,
          `slipway secret set ${source}`,
        )
      case 'unknown':
        return warn(
          'token',
          `the hub has not contacted source ${source} yet`,
          'Wait a minute and run doctor again.',
        )
      case 'failing': {
        // The token was not used yet; the finding about images says what to do.
        if (code?.startsWith('templates-') === true)
          return warn(
            'token',
            `source ${source} is not polled: there are no usable templates`,
            'Put templates into force first.',
          )
        const problem = secrets.find((secret) => secret.source === source)?.problem ?? code
        return fail(
          'token',
          `source ${source} fails: ${problem}`,
          `If its token was replaced or revoked: slipway secret set ${source} (one machine: SHIPFOX_PROVISIONER_TOKEN).`,
        )
      }
    }
  })
}

/** Whether the fleet accepts runners, and how many resources they use. */
export function examineQuota({ hosts }: HubFacts): Finding {
  if (hosts.length === 0) return fail('quota', 'the hub has no host', 'Add one: slipway hosts add NAME')
  const open = hosts.filter(({ state, accepting }) => state === 'online' && accepting)
  if (open.length === 0) {
    const shut = hosts.find(({ state, accepting }) => state === 'online' && !accepting)
    const why = shut === undefined ? '' : `; ${shut.host}: ${shut.notAcceptingReason}`
    return fail(
      'quota',
      `none of ${hosts.length} hosts accepts runners${why}`,
      'Start their agents: slipway hosts list shows which hosts are offline.',
    )
  }
  const sum = (of: (host: (typeof open)[number]) => number): number =>
    open.reduce((total, host) => total + of(host), 0)
  const cpus = `${sum(({ used }) => used.cpuMillis) / 1000} of ${sum(({ capacity }) => capacity.cpuMillis) / 1000} vCPU`
  const memory = `${sum(({ used }) => used.memoryMib)} of ${sum(({ capacity }) => capacity.memoryMib)} MiB`
  const text = `${open.length} of ${hosts.length} hosts accept runners: ${sum(({ used }) => used.runners)} runners use ${cpus} and ${memory}`
  const isFull = open.every(
    ({ used, capacity }) => used.cpuMillis >= capacity.cpuMillis || used.runners >= capacity.runners,
  )
  return isFull
    ? warn('quota', `${text}; all are full`, 'Wait for runners to end, or add a host.')
    : ok('quota', text)
}
