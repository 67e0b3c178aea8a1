import { GetParameterCommand, ParameterNotFound, SSMClient } from '@aws-sdk/client-ssm'
import { readSettings, formatNoSource, SettingsError, type StageSettings } from '../lib/settings.ts'

/** The parameter that `cdk bootstrap` creates in a region of an account. */
const PREPARED_PARAMETER = '/cdk-bootstrap/hnb659fds/version'

/** The part of the command line that selects the stage, the account and the region. */
export interface DeployTarget {
  /** `-c name=value` */
  readonly context: Readonly<Record<string, string>>
  readonly profile: string | undefined
}

export function targetOf(args: readonly string[]): DeployTarget {
  const values = optionValues(args)
  const context = values('-c', '--context').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
  })
  return { context: Object.fromEntries(context), profile: values('--profile').at(-1) }
}

export interface DeployWorld {
  readonly stages: Readonly<Record<string, StageSettings>>
  readonly defaultStage: string
  /** `region`: from the stage's settings. */
  readonly isPrepared: (where: {
    region: string | undefined
    profile: string | undefined
  }) => Promise<boolean>
}

/**
 * The CDK commands to run for this command line. Throws SettingsError before the account is accessed, so that nothing is
 * bootstrapped for a stage that cannot be deployed.
 */
export async function planDeploy(args: readonly string[], world: DeployWorld): Promise<string[][]> {
  if (args.includes('--help') || args.includes('-h')) return deployCommands(args, { isPrepared: true })
  const { context, profile } = targetOf(args)
  const { stage, sources, region } = readSettings({ ...world, context })
  if (sources.length === 0) throw new SettingsError(formatNoSource(stage))
  return deployCommands(args, { isPrepared: await world.isPrepared({ region, profile }) })
}

/** The CDK commands to run, in order. */
export function deployCommands(args: readonly string[], target: { isPrepared: boolean }): string[][] {
  const deploy = ['deploy', '--strict', ...args]
  if (target.isPrepared) return [deploy]
  const { context, profile } = targetOf(args)
  const same = Object.entries(context).flatMap(([name, value]) => ['--context', `${name}=${value}`])
  return [['bootstrap', ...same, ...(profile === undefined ? [] : ['--profile', profile])], deploy]
}

/** The variables in which CDK looks for the region, in order, before it reads the profile. */
const REGION_VARIABLES = ['AWS_REGION', 'AMAZON_REGION', 'AWS_DEFAULT_REGION', 'AMAZON_DEFAULT_REGION']

/**
 * Whether the region that CDK deploys to is bootstrapped. True if that is unknown: then the deployment reports the
 * problem.
 */
export async function isPrepared(where: { region: string | undefined }): Promise<boolean> {
  const region = where.region ?? REGION_VARIABLES.map((name) => process.env[name]).find(Boolean)
  const client = new SSMClient({ ...(region !== undefined && { region }) })
  try {
    await client.send(new GetParameterCommand({ Name: PREPARED_PARAMETER }))
    return true
  } catch (thrown) {
    return !(thrown instanceof ParameterNotFound)
  } finally {
    client.destroy()
  }
}

function optionValues(args: readonly string[]): (...names: readonly string[]) => string[] {
  return (...names) =>
    args.flatMap((arg, index) => {
      if (names.includes(arg)) return args[index + 1] ?? []
      const name = names.find((long) => long.startsWith('--') && arg.startsWith(`${long}=`))
      return name === undefined ? [] : arg.slice(name.length + 1)
    })
}
