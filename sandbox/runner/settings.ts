import { EXIT, RunnerFailure } from './outcome.ts'

/** The longest delay of a Node timer. */
const TIMER_MAX_MS = 2 ** 31 - 1

export type Settings = {
  readonly apiUrl: URL
  /** The one-time token: registration in v1, bootstrap in v2. */
  readonly token: string
  readonly generation: 'v1' | 'v2'
  readonly providerKind: string
  readonly labels: readonly string[]
  /** 0 = no limit. */
  readonly pollMaxMs: number
  readonly lifetimeMs: number
}

/** Parses the environment that the provisioner gave the container. Throws with exit code 2. */
export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  const registration = variables['SHIPFOX_RUNNER_REGISTRATION_TOKEN']
  const bootstrap = variables['SHIPFOX_RUNNER_BOOTSTRAP_TOKEN']
  const token = registration ?? bootstrap
  if (token === undefined) {
    const names = 'SHIPFOX_RUNNER_REGISTRATION_TOKEN or SHIPFOX_RUNNER_BOOTSTRAP_TOKEN'
    throw new RunnerFailure(`${names} must be set to a one-time token.`, EXIT.misconfigured)
  }
  return {
    apiUrl: urlIn(variables, 'SHIPFOX_API_URL'),
    token,
    generation: registration === undefined ? 'v2' : 'v1',
    providerKind: variables['SHIPFOX_RUNNER_PROVIDER_KIND'] ?? 'docker',
    labels: required(variables, 'SHIPFOX_RUNNER_LABELS')
      .split(',')
      .map((label) => label.trim()),
    pollMaxMs: wholeNumberIn(variables, 'SHIPFOX_POLL_MAX_DURATION_MS', 300_000),
    lifetimeMs: Math.min(
      wholeNumberIn(variables, 'SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS', 3600) * 1000,
      TIMER_MAX_MS,
    ),
  }
}

function required(variables: NodeJS.ProcessEnv, name: string): string {
  const value = variables[name]
  if (value === undefined || value === '') throw new RunnerFailure(`${name} must be set.`, EXIT.misconfigured)
  return value
}

function urlIn(variables: NodeJS.ProcessEnv, name: string): URL {
  const value = required(variables, name)
  if (URL.canParse(value) && /^https?:/.test(value)) return new URL(value)
  throw new RunnerFailure(`${name} is "${value}", which is not an http or https URL.`, EXIT.misconfigured)
}

function wholeNumberIn(variables: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = variables[name] ?? String(fallback)
  if (/^\d{1,12}$/.test(value)) return Number(value)
  throw new RunnerFailure(`${name} is "${value}", which is not a whole number.`, EXIT.misconfigured)
}
