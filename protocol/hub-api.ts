import * as z from 'zod'
import { HOST_STATES, NAME_FORM, NAME_PATTERN, OUTCOMES, RUNNER_STATES } from '../core/model/index.ts'
import { TemplateSchema } from './template.ts'

/**
 * Schemas of the hub's JSON API: requests of `slipway` and other clients, and the hub's answers. Every request body and
 * every successful answer has the API version as `v`; errors have the same form in every version. Times are epoch ms by
 * the hub's clock. Unknown fields are dropped: a newer peer may send more.
 */
export const HUB_API_VERSION = 1

const v = z.literal(HUB_API_VERSION)
const Whole = z.int().min(0)
const Time = z.number()
const Text = z.string()

/* ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────── */

const IssueSchema = z.object({
  file: Text,
  line: z.int().nullable(),
  column: z.int().nullable(),
  path: Text,
  message: Text,
  expected: Text.nullable(),
  nearest: Text.nullable(),
})

export const ErrorAnswer = z.object({
  /** Stable: clients may depend on it. */
  code: Text,
  /** What happened, and what to do about it. */
  message: Text,
  /** All issues of a templates file with their positions. */
  mistakes: z.array(IssueSchema).optional(),
})
export type ErrorAnswer = z.infer<typeof ErrorAnswer>

/* ── GET /health ───────────────────────────────────────────────────────────────────────────────────────────── */

export const HealthAnswer = z.object({
  v,
  /** True: no action is needed. */
  ok: z.boolean(),
  build: Text,
  loop: z.object({
    state: z.enum(['working', 'idle', 'stopped', 'never-started']),
    build: Text.nullable(),
    takenAt: Time.nullable(),
  }),
  sources: z.array(
    z.object({
      source: Text,
      state: z.enum(['ok', 'secret-missing', 'failing', 'unknown']),
      parameter: Text.nullable(),
      code: Text.nullable(),
      checkedAt: Time.nullable(),
    }),
  ),
})
export type HealthAnswer = z.infer<typeof HealthAnswer>

/* ── GET /api/templates, GET /api/templates/versions ───────────────────────────────────────────────────────── */

const Facts = { version: Whole, storedAt: Time, storedBy: Text }

export const TemplatesAnswer = z.object({
  v,
  /** 0 = none was ever stored. */
  version: Whole,
  storedAt: Time.nullable(),
  storedBy: Text.nullable(),
  text: Text.nullable(),
  templates: z.array(TemplateSchema),
  /** Where the templates come from if this API can't change them; null = it can. */
  fixedBy: Text.nullable(),
})
export type TemplatesAnswer = z.infer<typeof TemplatesAnswer>

export const TemplateVersionsAnswer = z.object({ v, versions: z.array(z.object(Facts)) })
export type TemplateVersionsAnswer = z.infer<typeof TemplateVersionsAnswer>

/* ── POST /api/templates/apply, POST /api/templates/undo ───────────────────────────────────────────────────── */

export const ApplyRequest = z.object({
  v,
  /** The templates file, YAML. */
  text: Text,
  /** The name of the file, for messages. */
  file: Text.min(1).max(500),
  /** The version to replace; null = only return what would change. */
  basedOn: Whole.nullable(),
})
export type ApplyRequest = z.infer<typeof ApplyRequest>

export const UndoRequest = z.object({
  v,
  /** The version to restore; null = the one before the current version. */
  to: z.int().min(1).nullable(),
  basedOn: Whole.nullable(),
})
export type UndoRequest = z.infer<typeof UndoRequest>

export const ChangeAnswer = z.object({
  v,
  /** The current version; the new one if `stored`. */
  version: Whole,
  stored: z.boolean(),
  /** The changes against the templates in force, one text per template. */
  difference: z.array(Text),
  warnings: z.array(Text),
  templates: Whole,
})
export type ChangeAnswer = z.infer<typeof ChangeAnswer>

/* ── /api/hosts ────────────────────────────────────────────────────────────────────────────────────────────── */

const Size = { runners: Whole, cpuMillis: Whole, memoryMib: Whole }

const HostSchema = z.object({
  host: Text,
  tags: z.array(Text),
  state: z.enum(HOST_STATES),
  stateSince: Time,
  lastSeenAt: Time.nullable(),
  accepting: z.boolean(),
  notAcceptingReason: Text.nullable(),
  capacity: z.object(Size),
  used: z.object(Size),
  startsPerMinute: z.number().nullable(),
  backoffs: z.array(z.object({ template: Text, failures: Whole, until: Time })),
  images: z.array(
    z.object({
      image: Text,
      state: z.enum(['present', 'pulling', 'failed']),
      reason: Text.nullable(),
    }),
  ),
})
export type HostJson = z.infer<typeof HostSchema>

export const HostsAnswer = z.object({ v, hosts: z.array(HostSchema) })
export type HostsAnswer = z.infer<typeof HostsAnswer>

/** The form of a host's name, and of a tag. */
const Name = Text.regex(NAME_PATTERN, NAME_FORM)
const TAGS_MAX = 20

export const AddHostRequest = z.object({ v, host: Name, tags: z.array(Name).max(TAGS_MAX) })
export type AddHostRequest = z.infer<typeof AddHostRequest>

export const AddHostAnswer = z.object({
  v,
  host: Text,
  /** Returned only here: the hub keeps only a hash. */
  token: Text,
  /** The URL that the agent connects to. */
  hubUrl: Text,
})
export type AddHostAnswer = z.infer<typeof AddHostAnswer>

export const RemoveHostAnswer = z.object({
  v,
  host: Text,
  /** Number of its runners; the sweep declares them lost. */
  runners: Whole,
})
export type RemoveHostAnswer = z.infer<typeof RemoveHostAnswer>

/* ── /api/runners ──────────────────────────────────────────────────────────────────────────────────────────── */

const RUNNERS_PAGE_MAX = 200
const RUNNERS_PAGE_USUAL = 50

export const RunnersQuery = z.object({
  state: z.enum([...RUNNER_STATES, 'live']).optional(),
  host: Name.optional(),
  template: Text.optional(),
  limit: z.coerce.number().pipe(z.int().min(1).max(RUNNERS_PAGE_MAX)).default(RUNNERS_PAGE_USUAL),
  /** `next` of the previous page. */
  after: Text.optional(),
})

const RunnerSchema = z.object({
  runner: Text,
  state: z.enum(RUNNER_STATES),
  template: Text,
  host: Text,
  source: Text,
  labels: z.array(Text),
  cpuMillis: Whole,
  memoryMib: Whole,
  reservedAt: Time,
  startedAt: Time.nullable(),
  goneAt: Time.nullable(),
  stop: Text.nullable(),
  outcome: z.enum(OUTCOMES).nullable(),
  code: Text.nullable(),
  reason: Text.nullable(),
  exitCode: z.int().nullable(),
})
export type RunnerJson = z.infer<typeof RunnerSchema>

export const RunnersAnswer = z.object({
  v,
  /** Newest first. */
  runners: z.array(RunnerSchema),
  total: Whole,
  /** Pass it as `after` for the next page; null = this is the last. */
  next: Text.nullable(),
})
export type RunnersAnswer = z.infer<typeof RunnersAnswer>

export const RunnerAnswer = z.object({
  v,
  runner: RunnerSchema,
  timeline: z.array(z.object({ at: Time, what: Text })),
  /** The crash report that its agent recorded; its texts come from the job. */
  blackBox: z.json().nullable(),
})
export type RunnerAnswer = z.infer<typeof RunnerAnswer>

/* ── GET /api/why?labels=a,b ───────────────────────────────────────────────────────────────────────────────── */

export const WhyQuery = z.object({ labels: Text.min(1) })

export const WhyAnswer = z.object({
  v,
  labels: z.array(Text),
  sources: z.array(
    z.object({
      source: Text,
      /** Waiting jobs with exactly these labels and without a reservation. */
      waiting: Whole,
      checkedAt: Time.nullable(),
      /** Where a job would start now; null = it would wait. */
      start: z.object({ template: Text, host: Text }).nullable(),
      /** Why it would wait; a stable code. */
      code: Text.nullable(),
      text: Text,
    }),
  ),
})
export type WhyAnswer = z.infer<typeof WhyAnswer>

/* ── GET /api/secrets ──────────────────────────────────────────────────────────────────────────────────────── */

export const SecretsAnswer = z.object({
  v,
  /** Without the values, which the API never returns. */
  secrets: z.array(
    z.object({
      source: Text,
      /** Name of the SecureString; null = this hub reads the token from its environment. */
      parameter: Text.nullable(),
      state: z.enum(['stored', 'missing', 'unknown']),
      /** Why the source fails with this token; null = no problem is known. */
      problem: Text.nullable(),
    }),
  ),
})
export type SecretsAnswer = z.infer<typeof SecretsAnswer>
