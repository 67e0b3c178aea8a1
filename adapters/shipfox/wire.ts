import * as z from 'zod'

/** The messages of the Shipfox provisioner protocol. Unknown keys of answers are ignored, missing keys are errors. */

export type Generation = 'v1' | 'v2'

/** The most templates in one poll. */
export const TEMPLATES_MAX: Readonly<Record<Generation, number>> = { v1: 100, v2: 1000 }
export const RESERVATIONS_MAX = 1000
/** The server refuses larger mints, though its schema says 1,000. */
export const MINT_BATCH_MAX = 500
/** The server reduces longer holds to this. */
export const POLL_WAIT_SECONDS_MAX = 30
/** Fixed on v1, requested on v2. */
export const RESERVATION_TTL_MS = 60_000
/** The limit of mint calls on v1, per provisioner token and fixed window. */
export const MINT_CALLS_V1 = { max: 120, windowMs: 60_000 }
export const REPORT_EVENTS_MAX = 1000
/** The server's limit is 1 MiB (1,048,576); the margin is for proxies that count more than the body. */
export const BODY_MAX_BYTES = 1_000_000
export const OBSERVED_MAX = 5000
/** The server's limit on a reason. Ours on reasons in messages (`REASON_MAX_CHARACTERS`) is another fact, and may differ. */
export const REASON_MAX_CHARS = 500

const Instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const Labels = z.array(z.string())

export const ErrorBody = z.object({
  code: z.string(),
  message: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
})

export const Me = z.object({
  id: z.string().min(1),
  scope: z.enum(['workspace', 'installation']),
})

export const PollAnswer = z.object({
  stats: z.array(
    z.object({
      labels: Labels,
      queued: z.int().min(0),
      reserved: z.int().min(0),
      oldest_queued_at: Instant.nullish(),
    }),
  ),
  reservations: z.array(
    z.object({
      reservation_id: z.string().min(1),
      labels: Labels,
      count: z.int().min(1),
      expires_at: Instant,
    }),
  ),
  terminate_provider_runner_ids: z.array(z.string()),
  newly_reserved_count: z.int().min(0).optional(),
})
export type PollAnswer = z.infer<typeof PollAnswer>

export const RegistrationTokens = z.object({
  tokens: z.array(z.object({ provider_runner_id: z.string(), registration_token: z.string().min(1) })),
})

/** Details of 409 `batch-exceeds-reservation`. */
export const BatchExceeds = z.object({ reservation_count: z.int().min(0), already_minted: z.int().min(0) })
/** Details of 409 `registration-token-active`. */
export const TokenActive = z.object({ provider_runner_ids: z.array(z.string()).min(1) })
/** Details of 400 `batch-too-large`. */
export const BatchTooLarge = z.object({ max: z.int().min(1) })

export const RunnerInstances = z.object({
  runner_instances: z.array(
    z.object({
      // It becomes part of a URL path, so its form must be checked.
      runner_instance_id: z.guid(),
      bootstrap_token: z.string().min(1),
      request_index: z.int().min(0),
    }),
  ),
  reservation_unavailable: z.boolean().optional(),
})

export const Attached = z.object({ attached: z.boolean() })

/** One event as the server accepts it. Validated before sending, because one invalid event fails its whole batch. */
export const ReportEvent = z.object({
  provider_runner_id: z.string().min(1).max(255),
  reservation_id: z.guid().optional(),
  template_key: z.string().min(1).max(255),
  labels: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,127}$/i))
    .min(1)
    .max(20),
  state: z.enum(['starting', 'running', 'stopping', 'stopped', 'failed', 'terminated']),
  reason: z.string().min(1).max(REASON_MAX_CHARS).optional(),
  reported_at: z.iso.datetime(),
  provider_kind: z.string().min(1).max(64).optional(),
})
export type ReportEvent = z.infer<typeof ReportEvent>

export const ReportAnswer = z.object({ accepted: z.int(), reservations_released: z.int() })

export const ReconcileAnswer = z.object({
  runners: z.array(
    z.object({
      provider_runner_id: z.string(),
      // Any text: an unknown state of a newer server must not make all other rows unreadable.
      state: z.string().nullable(),
      runner_session_id: z.string().nullable(),
      bound_job: z.object({ cancellation_requested_at: z.string().nullish() }).nullable(),
    }),
  ),
  terminated_absent_provider_runner_ids: z.array(z.string()),
})
export type ObservedRow = z.infer<typeof ReconcileAnswer>['runners'][number]
