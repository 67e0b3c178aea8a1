import * as z from 'zod'

/** One call to AWS, as IAM sees it. */
export interface IamRequest {
  /** `dynamodb:GetItem` */
  readonly action: string
  /** `*` for actions that know no resource. */
  readonly resource: string
  /** Condition keys that the call has. A list stands for a key with several values. */
  readonly context: Readonly<Record<string, string | readonly string[]>>
}

const OneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat())
const ConditionBlock = z.record(
  z.string(),
  z.record(
    z.string(),
    z
      .union([z.string(), z.boolean(), z.number()])
      .or(z.array(z.union([z.string(), z.boolean(), z.number()]))),
  ),
)

/** A statement of a role's policy. `NotAction`, `NotResource` and whatever else is not here is an error. */
export const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: OneOrMore,
  Resource: OneOrMore,
  Condition: ConditionBlock.optional(),
})
export type Statement = z.infer<typeof Statement>

/** Throws for a condition that this evaluator doesn't know: what it can't judge must not pass. */
export function decide(
  statements: readonly Statement[],
  request: IamRequest,
): { readonly allowed: boolean; readonly by: Statement | null } {
  const matching = statements.filter((statement) => applies(statement, request))
  const denial = matching.find(({ Effect }) => Effect === 'Deny')
  if (denial !== undefined) return { allowed: false, by: denial }
  const grant = matching.find(({ Effect }) => Effect === 'Allow')
  return { allowed: grant !== undefined, by: grant ?? null }
}

export function applies(statement: Statement, request: IamRequest): boolean {
  return (
    matchesAction(statement, request.action) &&
    statement.Resource.some((pattern) => isLike(pattern, request.resource)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) =>
        holds(operator, valuesOf(request, key), [wanted].flat().map(String)),
      ),
    )
  )
}

/** Actions are compared without regard to case, and may have wildcards. */
function matchesAction({ Action }: Statement, action: string): boolean {
  return Action.some((pattern) => isLike(pattern.toLowerCase(), action.toLowerCase()))
}

/** Null: the call doesn't have the key. */
function valuesOf({ context }: IamRequest, key: string): readonly string[] | null {
  const found = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())
  return found === undefined ? null : [found[1]].flat()
}

type Compare = (wanted: string, given: string) => boolean

const COMPARISONS: Readonly<Record<string, Compare>> = {
  StringEquals: (wanted, given) => wanted === given,
  StringEqualsIgnoreCase: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
  StringLike: isLike,
  ArnEquals: isArnLike,
  ArnLike: isArnLike,
  Bool: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
  NumericEquals: (wanted, given) => Number(wanted) === Number(given),
  NumericLessThanEquals: (wanted, given) => Number(given) <= Number(wanted),
}

/** Each holds exactly where its opposite doesn't. */
const OPPOSITES: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
}

function holds(name: string, given: readonly string[] | null, wanted: readonly string[]): boolean {
  const { quantifier, operator, ifExists } = parse(name)
  if (operator === 'Null')
    return wanted.every((value) => (value.toLowerCase() === 'true') === (given === null))
  const opposite = OPPOSITES[operator]
  const compare = COMPARISONS[opposite ?? operator]
  if (compare === undefined)
    throw new Error(`The condition operator ${name} is not known: teach test/assembly/iam.ts.`)
  const fits = (value: string): boolean =>
    wanted.some((one) => compare(one, value)) === (opposite === undefined)
  if (given === null)
    return ifExists || quantifier === 'ForAllValues' || (opposite !== undefined && quantifier === null)
  if (quantifier === 'ForAllValues') return given.every(fits)
  if (quantifier === null && given.length > 1)
    throw new Error(
      `${name} looks at one value, and the call has ${given.length}: use ForAllValues or ForAnyValue.`,
    )
  return given.some(fits)
}

function parse(name: string): {
  quantifier: 'ForAllValues' | 'ForAnyValue' | null
  operator: string
  ifExists: boolean
} {
  const match = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(name)
  const [, quantifier, operator = name, ifExists] = match ?? []
  return {
    quantifier: quantifier === 'ForAllValues' || quantifier === 'ForAnyValue' ? quantifier : null,
    operator,
    ifExists: ifExists !== undefined,
  }
}

/** `*` is any text, `?` any one character. */
export function isLike(pattern: string, value: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 's').test(value)
}

/** Whether some text fits both patterns. */
export function overlap(left: string, right: string): boolean {
  if (left === '' && right === '') return true
  if (left.startsWith('*'))
    return overlap(left.slice(1), right) || (right !== '' && overlap(left, right.slice(1)))
  if (right.startsWith('*')) return overlap(right, left)
  if (left === '' || right === '') return false
  const isSame = left[0] === right[0] || left.startsWith('?') || right.startsWith('?')
  return isSame && overlap(left.slice(1), right.slice(1))
}

/** Part by part: a wildcard doesn't reach across the first five colons of an ARN. */
function isArnLike(pattern: string, value: string): boolean {
  const split = (arn: string): readonly string[] => {
    const parts = arn.split(':')
    return [...parts.slice(0, 5), parts.slice(5).join(':')]
  }
  const [wanted, given] = [split(pattern), split(value)]
  return wanted.length === given.length && wanted.every((part, index) => isLike(part, given[index] ?? ''))
}
