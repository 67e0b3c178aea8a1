import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { App } from 'aws-cdk-lib'
import { SynthesisMessageLevel } from 'aws-cdk-lib/cx-api'
import * as z from 'zod'
import { hubApp, type HubAppOptions } from '../../lib/hub-app.ts'

const { INFO, WARNING } = SynthesisMessageLevel

const Values = z.record(z.string(), z.unknown())
const Resource = z.object({
  Type: z.string(),
  Properties: Values.default({}),
  DeletionPolicy: z.string().optional(),
  Metadata: z.object({ 'aws:cdk:path': z.string() }),
})
const Template = z.object({ Resources: z.record(z.string(), Resource), Outputs: Values.default({}) })
export interface Part {
  /** Where it is in the tree of constructs, without the stack's name and without `/Resource`. */
  readonly path: string
  readonly type: string
  readonly properties: Readonly<Record<string, unknown>>
  readonly onDelete: string | undefined
}

export interface Synthesized {
  readonly stackName: string
  readonly parts: readonly Part[]
  readonly outputs: readonly string[]
  readonly warnings: readonly string[]
  /** What is said without being a warning. */
  readonly notes: readonly string[]
  ofType(type: string): readonly Part[]
  /** The one part at this path. */
  at(path: string): Part
}

/** Paths in the template, as CDK's command line asks for them; and no bundles. */
const LIKE_THE_COMMAND_LINE = { 'aws:cdk:enable-path-metadata': true, 'aws:cdk:bundling-stacks': [] }

/** A source, as whoever deploys would name it. */
export const SOURCE = { shipfoxApiUrl: 'https://api.example.com' }

/**
 * The stack of a stage, without its bundles, which take seconds to make; `change` adds to the app before that.
 * Throws what CDK throws, and so for each finding of the security rules.
 */
export async function synthesize(
  { context = SOURCE, ...options }: HubAppOptions = {},
  change: (app: App) => void = () => undefined,
): Promise<Synthesized> {
  const outdir = await mkdtemp(join(tmpdir(), 'slipway-lib-'))
  try {
    const app = hubApp({ ...options, outdir, context: { ...context, ...LIKE_THE_COMMAND_LINE } })
    change(app)
    const [stack] = app.synth().stacks
    if (stack === undefined) throw new Error('the app has no stack')
    const template = Template.parse(stack.template)
    const told = (wanted: SynthesisMessageLevel) =>
      stack.messages.filter(({ level }) => level === wanted).map(({ entry }) => JSON.stringify(entry.data))
    return { ...readParts(stack.stackName, template), warnings: told(WARNING), notes: told(INFO) }
  } finally {
    await rm(outdir, { recursive: true })
  }
}

function readParts(stackName: string, { Resources, Outputs }: z.infer<typeof Template>) {
  const pathOf = (id: string): string => {
    const path = Resources[id]?.Metadata['aws:cdk:path']
      .replace(`${stackName}/`, '')
      .replace(/\/Resource$/, '')
    return path ?? id
  }
  const parts = Object.entries(Resources).map(
    ([id, { Type, Properties, DeletionPolicy }]): Part => ({
      path: pathOf(id),
      type: Type,
      properties: readable(Properties, pathOf) as Record<string, unknown>,
      onDelete: DeletionPolicy,
    }),
  )
  return {
    stackName,
    parts,
    outputs: Object.keys(Outputs),
    ofType: (type: string) => parts.filter((part) => part.type === type),
    at(path: string): Part {
      const found = parts.filter((part) => part.path === path)
      if (found.length !== 1) throw new Error(`${found.length} parts at ${path}`)
      return found[0]!
    },
  }
}

const Intrinsic = z.union([
  z.strictObject({ Ref: z.string() }).transform(({ Ref }) => ({ name: Ref, attribute: '' })),
  z
    .strictObject({ 'Fn::GetAtt': z.tuple([z.string(), z.string()]) })
    .transform(({ 'Fn::GetAtt': [name, attribute] }) => ({ name, attribute: `.${attribute}` })),
])
const Joined = z.strictObject({ 'Fn::Join': z.tuple([z.string(), z.array(z.unknown())]) })

/** References become text: `<path of the part>`, `<path of the part.Attribute>`. */
function readable(value: unknown, pathOf: (id: string) => string): unknown {
  const reference = Intrinsic.safeParse(value)
  if (reference.success) return `<${pathOf(reference.data.name)}${reference.data.attribute}>`
  const joined = Joined.safeParse(value)
  if (joined.success) {
    const [separator, words] = joined.data['Fn::Join']
    return words.map((word) => readable(word, pathOf)).join(separator)
  }
  if (Array.isArray(value)) return value.map((entry) => readable(entry, pathOf))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, readable(entry, pathOf)]))
}
