import * as z from 'zod'
import { canonicalLabels } from '../rules/labels.ts'
import { Refusal } from '../rules/refusal.ts'
import { RUNNER_STATES } from '../rules/rows.ts'

const LABEL = /^[a-z0-9][a-z0-9._-]*$/i
/** 1 to 20 labels of 1 to 128 characters each; the output is canonical. */
export const Labels = z
  .array(z.string().min(1).max(128).regex(LABEL))
  .min(1)
  .max(20)
  .transform(canonicalLabels)

const Slots = z.int().min(0).max(100_000)
const ProviderRunnerId = z.string().min(1).max(255)
const ProviderKind = z.string().min(1).max(64)
const unique = (ids: readonly string[]): boolean => new Set(ids).size === ids.length

const Template = z.object({
  template_key: z.string().min(1),
  labels: Labels,
  available_slots: Slots,
  starting: Slots,
  running: Slots,
})

const pollBody = (maxTemplates: number) =>
  z.object({
    wait_seconds: z.int().min(0).optional(),
    max_reservations: z.int().min(0).max(1000),
    templates: z.array(Template).max(maxTemplates),
    reservation_ttl_seconds: z.int().min(1).optional(),
  })

/** v1 has no `reservation_ttl_seconds` and ignores it, like any unknown key of this body. */
export const PollBody = { v1: pollBody(100).omit({ reservation_ttl_seconds: true }), v2: pollBody(1000) }

const ReportEvent = z.strictObject({
  provider_runner_id: ProviderRunnerId,
  reservation_id: z.uuid().optional(),
  template_key: z.string().min(1).max(255).optional(),
  labels: Labels,
  state: z.enum(RUNNER_STATES),
  reason: z.string().min(1).max(500).optional(),
  runner_session_id: z.uuid().optional(),
  reported_at: z.iso.datetime(),
  provider_kind: ProviderKind.optional(),
})
const reportBody = <T extends z.ZodType>(event: T) => z.object({ events: z.array(event).min(1).max(1000) })

/** v2 also accepts a `runner_instance_id`, and ignores it. */
export const ReportBody = {
  v1: reportBody(ReportEvent),
  v2: reportBody(ReportEvent.extend({ runner_instance_id: z.uuid().optional() })),
}

export const ReconcileBody = z.strictObject({
  observed_provider_runner_ids: z.array(ProviderRunnerId).max(5000).refine(unique, 'must be unique'),
})

export const RegistrationTokensBody = z.object({
  reservation_id: z.uuid(),
  runner_instances: z
    .array(z.object({ provider_runner_id: ProviderRunnerId }))
    .min(1)
    .max(1000)
    .refine((entries) => unique(entries.map((entry) => entry.provider_runner_id)), 'must be unique'),
})

export const RunnerInstancesBody = z.strictObject({
  provider_kind: ProviderKind.optional(),
  runner_instances: z
    .array(
      z.strictObject({
        template_key: z.string().min(1).max(255).optional(),
        reservation_id: z.uuid().optional(),
      }),
    )
    .min(1)
    .max(500),
})

export const InstanceParams = z.object({ runner_instance_id: z.uuid() })
export const AttachBody = z.strictObject({ provider_runner_id: ProviderRunnerId })

export const AssignmentsBody = z.object({
  reservation_id: z.uuid(),
  runner_instance_ids: z.array(z.uuid()).min(1).max(1000).refine(unique, 'must be unique'),
})

const Capabilities = z.unknown().optional()

export const RegisterBody = z.object({ labels: Labels, capabilities: Capabilities })
export const ExchangeBody = z.object({ bootstrap_token: z.string().min(1) })
export const EnrolmentBody = z.object({
  labels: Labels,
  capabilities: Capabilities,
  provider_kind: ProviderKind,
  protocol_version: z.int().min(1),
})
export const AssignmentQuery = z.object({ wait_seconds: z.coerce.number().int().min(1).max(30) })

/** How a job ended. Only the sandbox has this route. */
export const CompleteBody = z.strictObject({
  exit_code: z.int().nullable(),
  output: z.string().max(65_536),
  interrupted: z.boolean(),
})

/** Jobs to queue together. Only the sandbox has this route. */
export const NewJobs = z
  .array(z.strictObject({ labels: Labels, command: z.string().min(1).max(32_768) }))
  .min(1)
  .max(10_000)
export const QueueBody = z.strictObject({ jobs: NewJobs })

/** Parses, or throws a 400 `validation-error` that names the first problem. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, where: 'body' | 'params' | 'querystring'): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new Refusal(400, 'validation-error', { message: `[${where}] ${firstProblem(result.error)}` })
}

/** Path and message of the first problem, such as `templates.0.labels: Invalid input`. */
export function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'Invalid input'
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`
}
