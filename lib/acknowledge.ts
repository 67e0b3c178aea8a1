import { type Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import * as z from 'zod'

/** Accepts findings of the security rules on a construct, each with the reason. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  const acknowledged = Object.entries(reasons).map(([id, reason]) => ({ id, reason }))
  Validations.of(construct).acknowledge(...acknowledged)
}

const Ref = z.object({ Ref: z.string() })
const Joined = z.object({ 'Fn::Join': z.tuple([z.literal(''), z.array(z.union([z.string(), Ref]))]) })

/** The id that the rules give to the finding about this wildcard resource of a role. */
export function wildcardFinding(stack: Stack, resource: string): string {
  const parts = Joined.parse(stack.resolve(resource))['Fn::Join'][1]
  const text = parts.map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('')
  return `AwsSolutions-IAM5[Resource::${text}]`
}
