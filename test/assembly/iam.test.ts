import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, type IamRequest, isLike, overlap, Statement } from './iam.ts'

const TABLE = 'arn:aws:dynamodb:eu-central-1:123456789012:table/fleet'
const READ: IamRequest = { action: 'dynamodb:GetItem', resource: TABLE, context: {} }

function allow(parts: Readonly<Record<string, unknown>> = {}): Statement {
  return Statement.parse({ Effect: 'Allow', Action: 'dynamodb:GetItem', Resource: TABLE, ...parts })
}

const isAllowed = (statements: readonly Statement[], request: IamRequest = READ) =>
  decide(statements, request).allowed

describe('the evaluator of role policies', () => {
  it('denies what no statement names', () => {
    expect(isAllowed([])).toBe(false)
    expect(isAllowed([allow()])).toBe(true)
    expect(isAllowed([allow({ Action: 'dynamodb:PutItem' })])).toBe(false)
    expect(isAllowed([allow({ Resource: `${TABLE}/index/changes` })])).toBe(false)
  })

  it('knows wildcards in actions, whatever their case, and in resources', () => {
    expect(isAllowed([allow({ Action: ['sqs:*', 'dynamodb:get*'] })])).toBe(true)
    expect(isAllowed([allow({ Action: '*' })])).toBe(true)
    expect(isAllowed([allow({ Resource: 'arn:aws:dynamodb:*:123456789012:table/flee?' })])).toBe(true)
    expect(isAllowed([allow({ Resource: `${TABLE}/*` })])).toBe(false)
    expect(isAllowed([allow({ Resource: 'arn:aws:dynamodb:eu-central-1:123456789012:table/fle' })])).toBe(
      false,
    )
  })

  it('lets a denial win, wherever it stands', () => {
    const all = allow({ Action: '*', Resource: '*' })
    const never = { ...allow(), Effect: 'Deny' as const }
    expect(isAllowed([all, never])).toBe(false)
    expect(isAllowed([never, all])).toBe(false)
    expect(isAllowed([never, all], { ...READ, action: 'dynamodb:Query' })).toBe(true)
  })

  it('judges conditions by all their operators and keys, any of their values', () => {
    const bounded = allow({
      Condition: { StringEquals: { 'aws:SourceAccount': ['1', '2'] }, Bool: { 'aws:SecureTransport': true } },
    })
    const from = (account: string, secure: string) => ({
      ...READ,
      context: { 'aws:sourceaccount': account, 'aws:SecureTransport': secure },
    })
    expect(isAllowed([bounded], from('2', 'true'))).toBe(true)
    expect(isAllowed([bounded], from('3', 'true'))).toBe(false)
    expect(isAllowed([bounded], from('1', 'false'))).toBe(false)
    expect(isAllowed([bounded])).toBe(false)
  })

  it('judges keys of several values by their quantifier, a key that is missing included', () => {
    const keys = (operator: string) =>
      allow({ Condition: { [operator]: { 'dynamodb:LeadingKeys': ['HOST#*', 'FLEET'] } } })
    const on = (...leading: string[]) => ({ ...READ, context: { 'dynamodb:LeadingKeys': leading } })
    expect(isAllowed([keys('ForAllValues:StringLike')], on('HOST#a', 'FLEET'))).toBe(true)
    expect(isAllowed([keys('ForAllValues:StringLike')], on('HOST#a', 'OTHER'))).toBe(false)
    expect(isAllowed([keys('ForAnyValue:StringLike')], on('HOST#a', 'OTHER'))).toBe(true)
    // As in AWS: a scan has no leading keys, and "all of none" holds.
    expect(isAllowed([keys('ForAllValues:StringLike')])).toBe(true)
    expect(isAllowed([keys('ForAnyValue:StringLike')])).toBe(false)
    expect(isAllowed([keys('StringLikeIfExists')])).toBe(true)
    expect(() => isAllowed([keys('StringLike')], on('HOST#a', 'FLEET'))).toThrow('ForAllValues')
  })

  it('compares ARNs part by part, and knows opposites and absence', () => {
    const source = (operator: string, wanted: string) =>
      allow({ Condition: { [operator]: { 'aws:SourceArn': wanted } } })
    const by = (arn: string) => ({ ...READ, context: { 'aws:SourceArn': arn } })
    const schedule = 'arn:aws:scheduler:eu-central-1:1:schedule/a/b'
    expect(isAllowed([source('ArnLike', 'arn:aws:scheduler:*:1:schedule/a/*')], by(schedule))).toBe(true)
    expect(isAllowed([source('ArnLike', 'arn:aws:*:schedule/a/b')], by(schedule))).toBe(false)
    expect(isAllowed([source('ArnNotLike', 'arn:aws:scheduler:*:1:schedule/a/*')], by(schedule))).toBe(false)
    expect(isAllowed([source('ArnNotLike', 'arn:aws:sqs:*:1:*')])).toBe(true)
    expect(isAllowed([source('Null', 'true')])).toBe(true)
    expect(isAllowed([source('Null', 'true')], by(schedule))).toBe(false)
  })

  it('refuses to judge what it does not know', () => {
    expect(() => isAllowed([allow({ Condition: { DateLessThan: { 'aws:CurrentTime': 'x' } } })])).toThrow(
      'DateLessThan',
    )
    for (const part of [{ NotAction: 'a:b' }, { NotResource: '*' }, { Principal: '*' }])
      expect(Statement.safeParse({ ...allow(), ...part }).success).toBe(false)
  })

  it('matches a pattern with as many wildcards as one likes, and takes everything else by the letter', () => {
    const parts = fc.array(fc.string({ maxLength: 6 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(parts, parts, (fixed, between) => {
        const literal = fixed.map((part) => part.replaceAll(/[*?]/g, ''))
        const value = literal
          .map((part, index) => part + (index === literal.length - 1 ? '' : (between[index] ?? '')))
          .join('')
        expect(isLike(literal.join('*'), value)).toBe(true)
        expect(isLike(literal.join(''), `${literal.join('')}x`)).toBe(false)
      }),
    )
  })

  it('knows whether two patterns have anything in common', () => {
    expect(overlap('arn:*:log-group:*:log-stream:*', 'arn:aws:log-group:name:*')).toBe(true)
    expect(overlap('table/*/index/*', 'table/fleet')).toBe(false)
    expect(overlap('a?c', '*b*')).toBe(true)
    expect(overlap('', '*')).toBe(true)
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.nat(8), fc.nat(8), (text, one, other) => {
        const pattern = (at: number) => `${text.slice(0, at)}*`.replaceAll('?', '!')
        const value = text.replaceAll('?', '!')
        expect(overlap(pattern(one), value)).toBe(true)
        expect(overlap(pattern(one), pattern(other))).toBe(true)
      }),
    )
  })

  it('allows nothing more when a denial is added, and nothing less when a grant is', () => {
    const action = fc.constantFrom('dynamodb:GetItem', 'dynamodb:*', 'ssm:GetParameter')
    const statement = fc.record({
      Effect: fc.constantFrom('Allow' as const, 'Deny' as const),
      Action: action,
      Resource: fc.constantFrom('*', TABLE, 'other'),
    })
    fc.assert(
      fc.property(fc.array(statement), action, (raw, added) => {
        const statements = raw.map((one) => Statement.parse(one))
        const before = isAllowed(statements)
        const also = (Effect: 'Allow' | 'Deny') =>
          isAllowed([...statements, allow({ Effect, Action: added, Resource: '*' })])
        expect(also('Deny') && !before).toBe(false)
        expect(before && !also('Allow')).toBe(false)
      }),
    )
  })
})
