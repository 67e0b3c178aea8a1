import { parseSync } from '@swc/core'
import * as z from 'zod'
import type { RepositoryFile } from './repository-files.ts'

export interface FunctionSize {
  /** `path:line` of its first line. */
  readonly at: string
  /** Without blank lines and lines of comment alone. */
  readonly lines: number
}

export interface SizeSummary {
  readonly count: number
  readonly median: number
  readonly p90: number
  readonly max: number
  /** Largest first. */
  readonly largest: readonly FunctionSize[]
}

/** What runs in production: neither tests nor configuration of tools. */
export function isProductionCode(path: string): boolean {
  return /\.(ts|tsx|mjs)$/.test(path) && !/^test\/|^[^/]*$|\.d\.ts$/.test(path)
}

export function summarizeSizes(sizes: readonly FunctionSize[]): SizeSummary {
  const inOrder = sizes.toSorted((left, right) => left.lines - right.lines)
  const quantile = (share: number) => inOrder[Math.max(0, Math.ceil(inOrder.length * share) - 1)]?.lines ?? 0
  return {
    count: sizes.length,
    median: quantile(0.5),
    p90: quantile(0.9),
    max: quantile(1),
    largest: inOrder.slice(-10).toReversed(),
  }
}

/** Functions with a name of their own. A callback counts as part of the function that it stands in. */
export function functionSizes({ path, text }: RepositoryFile): FunctionSize[] {
  const bytes = Buffer.from(text)
  const module = parseSync(text, { syntax: 'typescript', tsx: path.endsWith('x'), target: 'es2024' })
  return [...spansOfFunctions(module.body, '')].map(({ start, end }) => {
    // swc counts bytes, from 1.
    const line = bytes
      .subarray(0, start - 1)
      .toString()
      .split('\n').length
    return { at: `${path}:${line}`, lines: countLines(bytes.subarray(start - 1, end - 1).toString()) }
  })
}

function countLines(source: string): number {
  return source.split('\n').filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line)).length
}

const Spanned = z.object({ span: z.object({ start: z.number(), end: z.number() }) })
type Span = z.infer<typeof Spanned>['span']

const NAMED = new Set([
  'FunctionDeclaration',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
  'GetterProperty',
  'SetterProperty',
])
const UNNAMED = new Set(['ArrowFunctionExpression', 'FunctionExpression'])
/** What gives a name to the function that is its value. */
const NAMING = new Set(['VariableDeclarator', 'ClassProperty', 'PrivateProperty', 'KeyValueProperty'])

function* spansOfFunctions(value: unknown, parentType: string): Generator<Span> {
  if (Array.isArray(value)) {
    for (const item of value) yield* spansOfFunctions(item, parentType)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const type = 'type' in value && typeof value.type === 'string' ? value.type : null
  const isNamed = type !== null && (NAMED.has(type) || (UNNAMED.has(type) && NAMING.has(parentType)))
  if (isNamed) yield Spanned.parse(value).span
  for (const child of Object.values(value)) yield* spansOfFunctions(child, type ?? parentType)
}
