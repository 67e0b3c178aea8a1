import { GetParameterCommand, ParameterNotFound, SSMClient } from '@aws-sdk/client-ssm'

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

/** The commands of CDK to run, one after the other. */
export function deployCommands(args: readonly string[], target: { isPrepared: boolean }): string[][] {
  const deploy = ['deploy', '--strict', ...args]
  if (target.isPrepared) return [deploy]
  const { context, profile } = targetOf(args)
  const same = Object.entries(context).flatMap(([name, value]) => ['--context', `${name}=${value}`])
  return [['bootstrap', ...same, ...(profile === undefined ? [] : ['--profile', profile])], deploy]
}

/**
 * Whether CDK's bucket and roles are there. True where that can't be told: then deploying itself says what is wrong.
 */
export async function isPrepared({ region }: { region: string | undefined }): Promise<boolean> {
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
