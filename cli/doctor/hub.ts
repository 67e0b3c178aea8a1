import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { HealthAnswer, HostsAnswer, SecretsAnswer, TemplatesAnswer } from '../../protocol/hub-api.ts'
import { type HubClient, readAnswer } from '../hub-client/client.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** Beyond this a person is confused by times; a signature of AWS is refused beyond five minutes. */
const SKEW_WARN_MS = 30_000
const SKEW_MAX_MS = 4 * 60_000

/** How an API says that it knows the caller, or doesn't, and will not serve him. */
const REFUSALS: ReadonlySet<string> = new Set(['hub-refused', 'unauthorized'])

/** What the hub told of itself; null = it could not be asked. */
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
        ? 'Health answers, but the API does not let you in: see above.'
        : 'Health answers, but the API fails: try again, and look at the log of the hub (http-api on AWS).'
      const refused = fail('hub', messageOf(thrown), advice)
      return { facts: null, findings: [examineLoop(health, where), refused, ...clock] }
    }
  } catch (thrown) {
    return { facts: null, findings: [fail('hub', messageOf(thrown), 'Start the hub, or name another one.')] }
  }
}

function examineLoop({ loop, build }: HealthAnswer, where: string): Finding {
  const name = `${where} (build ${build})`
  switch (loop.state) {
    case 'working':
      return ok('hub', `${name} works`)
    case 'idle':
      return ok('hub', `${name} is idle, and looks for work every minute`)
    case 'never-started':
      return warn(
        'hub',
        `${name}: its control loop has not run yet`,
        'A new hub starts within two minutes; then look at the log of control-loop.',
      )
    case 'stopped':
      return fail(
        'hub',
        `${name}: its control loop has stopped`,
        'See docs/runbook.md, "loop-silent"; on one machine start the hub again.',
      )
  }
}

function examineClock(skewMs: number | null): readonly Finding[] {
  if (skewMs === null)
    return [
      warn('clock', 'the hub told no time', 'Something between here and the hub removes its Date header.'),
    ]
  // A Date header counts whole seconds.
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const text = `this machine's clock and the hub's differ by ${seconds} s`
  if (Math.abs(skewMs) > SKEW_MAX_MS)
    return [
      fail('clock', text, 'Set the clock (timedatectl set-ntp true): AWS refuses what is signed so far off.'),
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
        'the hub serves no source',
        'Name one in the settings of the hub, and deploy or start it again.',
      ),
    ]
  return health.sources.map(({ source, state, parameter, code }): Finding => {
    switch (state) {
      case 'ok':
        return ok('token', `source ${source} accepts the hub's token`)
      case 'secret-missing':
        return fail(
          'token',
          `no token of source ${source} is stored (${parameter})`,
          `slipway secret set ${source}`,
        )
      case 'unknown':
        return warn(
          'token',
          `the hub has not heard of source ${source} yet`,
          'Wait a minute, and look again.',
        )
      case 'failing': {
        // Nobody has tried the token yet: the line about images says what to do.
        if (code?.startsWith('templates-') === true)
          return warn(
            'token',
            `source ${source} is not asked: no templates can be planned with`,
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

/** What the fleet could take now. */
export function examineQuota({ hosts }: HubFacts): Finding {
  if (hosts.length === 0) return fail('quota', 'the hub has no host', 'Add one: slipway hosts add NAME')
  const open = hosts.filter(({ state, accepting }) => state === 'online' && accepting)
  if (open.length === 0) {
    const shut = hosts.find(({ state, accepting }) => state === 'online' && !accepting)
    const why = shut === undefined ? '' : `; ${shut.host}: ${shut.notAcceptingReason}`
    return fail(
      'quota',
      `none of ${hosts.length} hosts takes runners${why}`,
      'Start their agents: slipway hosts list says which.',
    )
  }
  const sum = (of: (host: (typeof open)[number]) => number): number =>
    open.reduce((total, host) => total + of(host), 0)
  const cpus = `${sum(({ used }) => used.cpuMillis) / 1000} of ${sum(({ capacity }) => capacity.cpuMillis) / 1000} vCPU`
  const memory = `${sum(({ used }) => used.memoryMib)} of ${sum(({ capacity }) => capacity.memoryMib)} MiB`
  const text = `${open.length} of ${hosts.length} hosts take runners: ${sum(({ used }) => used.runners)} runners use ${cpus} and ${memory}`
  const isFull = open.every(
    ({ used, capacity }) => used.cpuMillis >= capacity.cpuMillis || used.runners >= capacity.runners,
  )
  return isFull
    ? warn('quota', `${text}; all are full`, 'Wait for runners to end, or add a host.')
    : ok('quota', text)
}
