import { GetParameterCommand, ParameterNotFound, SSMClient } from '@aws-sdk/client-ssm'
import { readSettings, sayNoSource, SettingsError, type StageSettings } from '../lib/settings.ts'

/** Where CDK notes that an account's region was prepared for it. */
const PREPARED_PARAMETER = '/cdk-bootstrap/hnb659fds/version'

/** What of the command line concerns which hub is meant, and where. */
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
  /** `region`: as the stage's settings name it. */
  readonly isPrepared: (where: {
    region: string | undefined
    profile: string | undefined
  }) => Promise<boolean>
}

/**
 * What to run for this command line. Throws a SettingsError before anything is asked of the account, so that nothing
 * is prepared for a stage that could not be deployed.
 */
export async function planDeploy(args: readonly string[], world: DeployWorld): Promise<string[][]> {
  if (args.includes('--help') || args.includes('-h')) return deployCommands(args, { isPrepared: true })
  const { context, profile } = targetOf(args)
  const { stage, sources, region } = readSettings({ ...world, context })
  if (sources.length === 0) throw new SettingsError(sayNoSource(stage))
  return deployCommands(args, { isPrepared: await world.isPrepared({ region, profile }) })
}

/** The commands of CDK to run, one after the other. */
export function deployCommands(args: readonly string[], target: { isPrepared: boolean }): string[][] {
  const deploy = ['deploy', '--strict', ...args]
  if (target.isPrepared) return [deploy]
  const { context, profile } = targetOf(args)
  const same = Object.entries(context).flatMap(([name, value]) => ['--context', `${name}=${value}`])
  return [['bootstrap', ...same, ...(profile === undefined ? [] : ['--profile', profile])], deploy]
}

/** Where CDK looks for the region, one after the other, before it reads the profile. */
const REGION_VARIABLES = ['AWS_REGION', 'AMAZON_REGION', 'AWS_DEFAULT_REGION', 'AMAZON_DEFAULT_REGION']

/**
 * Whether CDK's bucket and roles are there, in the region that CDK will deploy to. True where that can't be told: then
 * deploying itself says what is wrong.
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
