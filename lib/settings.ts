import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import * as z from 'zod'
import { BUSY_HOURS_PATTERN, MODES } from '../core/model/index.ts'
import { SourceEnv } from '../lambdas/env.ts'

const STAGE_NAME = /^[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?$/
const RETENTION_DAYS = Object.values(RetentionDays)
  .filter((days) => typeof days === 'number')
  .filter((days) => days !== RetentionDays.INFINITE)

/** Only https, because every call carries a token. */
const ApiUrl = z.url({ protocol: /^https$/, error: 'expected an https URL such as https://api.example.com' })

const SourceSettings = z.strictObject({
  /** Part of the name of the parameter that holds the source's token. */
  id: SourceEnv.shape.id,
  apiUrl: ApiUrl,
  /** The API's address as containers reach it. Absent = `apiUrl`. */
  runnerApiUrl: ApiUrl.optional(),
})

const StageSettings = z.strictObject({
  /** True: the table and the logs are kept when the stack is deleted, and the table has deletion protection. */
  production: z.boolean(),
  sources: z
    .array(SourceSettings)
    .max(10)
    .refine((sources) => new Set(sources.map(({ id }) => id)).size === sources.length, {
      error: 'expected each id once',
    }),
  mode: z.enum(MODES).default('auto'),
  busyHours: z
    .string()
    .regex(BUSY_HOURS_PATTERN, { error: 'expected days and hours in UTC, such as "1-5 07:00-19:00"' })
    .optional(),
  logRetentionDays: z.int().refine((days) => RETENTION_DAYS.includes(days), {
    error: `expected one of ${RETENTION_DAYS.join(', ')}`,
  }),
  alarmEmail: z.email({ error: 'expected an email address' }).optional(),
  /** Encrypts the messages of alarms with the stack's own key, which costs a dollar a month. */
  encryptAlarms: z.boolean().default(false),
  /** URL of the runbook; alarms append `#name` of their section. */
  runbookUrl: z.string().min(1).default('docs/runbook.md'),
  tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
  account: z
    .string()
    .regex(/^\d{12}$/, { error: 'expected the 12 digits of an AWS account' })
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/, { error: 'expected a region such as eu-west-1' })
    .optional(),
})
/** As written in lib/stages.ts. */
export type StageSettings = z.input<typeof StageSettings>

export type HubSettings = z.output<typeof StageSettings> & { readonly stage: string }

/** Values of the command line are text; values of cdk.json may be booleans. */
const Flag = z.union([z.boolean(), z.stringbool({ truthy: ['true'], falsy: ['false'] })], {
  error: 'expected true or false',
})

/** Context (`-c name=value`) that replaces a setting for one run. */
const Overrides = z.strictObject({
  stage: z.string().optional(),
  production: Flag.optional(),
  shipfoxApiUrl: z.string().optional(),
  shipfoxRunnerApiUrl: z.string().optional(),
  mode: z.string().optional(),
  busyHours: z.string().optional(),
  logRetentionDays: z.coerce.number().optional(),
  alarmEmail: z.string().optional(),
  encryptAlarms: Flag.optional(),
  runbookUrl: z.string().optional(),
  account: z.string().optional(),
  region: z.string().optional(),
})

/** Invalid settings. The message is shown to the user as it is. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

export interface GivenSettings {
  readonly stages: Readonly<Record<string, StageSettings>>
  readonly defaultStage: string
  /** The whole CDK context; CDK's own entries are ignored. */
  readonly context: Readonly<Record<string, unknown>>
}

/** The settings of the selected stage with the context applied. Throws SettingsError with all invalid fields. */
export function readSettings({ stages, defaultStage, context }: GivenSettings): HubSettings {
  const own = Object.fromEntries(Object.entries(context).filter(([name]) => isOurs(name)))
  const {
    shipfoxApiUrl,
    shipfoxRunnerApiUrl,
    stage = defaultStage,
    ...overrides
  } = parse(Overrides, own, 'the context (-c name=value)')
  const settings = Object.hasOwn(stages, stage) ? stages[stage] : undefined
  if (settings === undefined || !STAGE_NAME.test(stage)) throw unknownStage(stage, Object.keys(stages))
  if (shipfoxRunnerApiUrl !== undefined && shipfoxApiUrl === undefined) {
    throw new SettingsError('shipfoxRunnerApiUrl is set without shipfoxApiUrl. Set shipfoxApiUrl as well.')
  }
  const sources =
    shipfoxApiUrl === undefined
      ? settings.sources
      : [
          {
            id: 'shipfox',
            apiUrl: shipfoxApiUrl,
            ...(shipfoxRunnerApiUrl && { runnerApiUrl: shipfoxRunnerApiUrl }),
          },
        ]
  const where = `stage "${stage}" (lib/stages.ts and -c name=value)`
  return { ...parse(StageSettings, { ...settings, ...overrides, sources }, where), stage }
}

/** The message about a stage without a source: a warning when synthesizing, an error when deploying. */
export function formatNoSource(stage: string): string {
  return (
    `Stage "${stage}" has no source, so its hub would get no jobs. Add a source in lib/stages.ts, or for this ` +
    'run with -c shipfoxApiUrl=https://…'
  )
}

/** Names in CDK's own context contain a colon, slash or dash. */
function isOurs(name: string): boolean {
  return /^\w+$/.test(name)
}

function parse<T extends z.ZodType>(schema: T, given: unknown, where: string): z.output<T> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${[...issue.path, key].join('.')}: unknown setting`)
      : [`${issue.path.join('.')}: ${issue.message}`],
  )
  throw new SettingsError(
    `The settings of ${where} are invalid:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  )
}

function unknownStage(stage: string, known: readonly string[]): SettingsError {
  const reason = STAGE_NAME.test(stage)
    ? `lib/stages.ts has ${known.join(', ')}`
    : 'a name has up to 20 lowercase letters, digits and dashes, and starts with a letter'
  return new SettingsError(`stage: there is no stage "${stage}"; ${reason}.`)
}
