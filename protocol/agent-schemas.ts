import * as z from 'zod'
import {
  type AgentMessage,
  END_CODES,
  type EndCode,
  epoch,
  fence,
  GOODBYE_CODES,
  hostId,
  type HubMessage,
  ISOLATIONS,
  LABELS_MAX,
  OUTCOMES,
  runnerId,
  Secret,
  sourceId,
  STOP_REASONS,
  templateKey,
} from '../core/model/index.ts'
import { checked } from './checked.ts'

/* The schema of every message between hub and agent. Unknown fields are dropped: a newer peer may send more. */

export const RunnerIdSchema = checked(z.string(), runnerId)
export const EpochSchema = checked(z.number(), epoch)
export const FenceSchema = checked(z.number(), fence)
const Seq = z.int().min(1)
/** Milliseconds, thousandths, MiB and counts: the protocol has no negative numbers and no fractions. */
const Whole = z.int().min(0)
const Text = z.string()

/** End codes of runners that the agent stopped, on the hub's order or by itself. */
export const StopCodes = ['stopped', 'never-registered', 'max-lifetime'] as const satisfies readonly EndCode[]

export const ReportedEndSchema = z.object({
  outcome: z.enum(OUTCOMES),
  code: z.enum(END_CODES),
  reason: Text,
  exitCode: z.int().nullable(),
})

export const RunnerOriginSchema = z.object({
  template: checked(z.string(), templateKey),
  source: checked(z.string(), sourceId),
  labels: z.array(Text).max(LABELS_MAX),
  reservation: Text.nullable(),
  cpuMillis: Whole,
  memoryMib: Whole,
})

const SightingSchema = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('accepted') }),
  z.object({ phase: z.literal('running'), agoMs: Whole }),
  z.object({
    phase: z.literal('exited'),
    agoMs: Whole,
    startedAgoMs: Whole.nullable(),
    end: ReportedEndSchema,
  }),
  z.object({ phase: z.literal('refused'), end: ReportedEndSchema }),
])

const RunnerSightingSchema = z.object({
  runner: RunnerIdSchema,
  sighting: SightingSchema,
  cleared: z.boolean(),
})

const ReportedImageSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('present') }),
  z.object({ state: z.literal('pulling') }),
  z.object({ state: z.literal('failed'), reason: Text, retryInMs: Whole }),
])

const acceptance = { accepting: z.boolean(), notAcceptingReason: Text.nullable() }
const numbered = { epoch: EpochSchema, seq: Seq }

/** One schema per message type, so that an unknown type and an invalid message are different errors. */
export const AGENT_MESSAGES = {
  hello: z.object({
    type: z.literal('hello'),
    agentVersion: Text,
    install: Text,
    engine: z.object({ kind: Text, version: Text, bootId: Text }),
    capacity: z.object({ cpuMillis: Whole, memoryMib: Whole, runners: Whole }),
    ...acceptance,
    fence: FenceSchema,
  }),
  snapshot: z.object({
    type: z.literal('snapshot'),
    ...numbered,
    entries: z.array(RunnerSightingSchema.extend({ origin: RunnerOriginSchema })),
    complete: z.array(RunnerIdSchema).nullable(),
  }),
  report: z.object({ type: z.literal('report'), ...numbered, runners: z.array(RunnerSightingSchema) }),
  heartbeat: z.object({
    type: z.literal('heartbeat'),
    ...numbered,
    ...acceptance,
    startsPerMinute: z.number().min(0).nullable(),
    nextInMs: Whole,
  }),
  images: z.object({
    type: z.literal('images'),
    ...numbered,
    images: z.array(z.object({ image: Text, status: ReportedImageSchema })),
  }),
  'black-box': z
    .object({
      type: z.literal('black-box'),
      ...numbered,
      runner: RunnerIdSchema,
      part: z.int().min(1),
      parts: z.int().min(1),
      text: Text,
    })
    .refine(({ part, parts }) => part <= parts, { path: ['part'], error: 'expected at most `parts`' }),
} satisfies { [Type in AgentMessage['type']]: z.ZodType<Extract<AgentMessage, { type: Type }>> }

const PullPolicySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('if-not-present') }),
  z.object({ kind: z.literal('always') }),
  z.object({ kind: z.literal('ttl'), ttlMs: Whole }),
])

const LaunchOrderSchema = z.object({
  runner: RunnerIdSchema,
  origin: RunnerOriginSchema,
  image: Text.min(1),
  pull: PullPolicySchema,
  isolation: z.enum(ISOLATIONS),
  env: z.record(Text, Text),
  secretEnv: z.record(
    Text,
    Text.transform((value) => new Secret(value)),
  ),
  expiresInMs: Whole,
  startDeadlineMs: Whole,
  maxLifetimeMs: Whole,
  stopTimeoutMs: Whole,
})

const command = { command: Text, epoch: EpochSchema }

export const HUB_MESSAGES = {
  welcome: z.object({
    type: z.literal('welcome'),
    host: checked(z.string(), hostId),
    epoch: EpochSchema,
    heartbeatIdleMs: z.int().min(1),
    heartbeatBusyMs: z.int().min(1),
  }),
  launch: z.object({
    type: z.literal('launch'),
    ...command,
    fence: FenceSchema,
    launches: z.array(LaunchOrderSchema),
  }),
  stop: z.object({
    type: z.literal('stop'),
    ...command,
    fence: FenceSchema,
    runners: z.array(z.object({ runner: RunnerIdSchema, reason: z.enum(STOP_REASONS) })),
  }),
  settle: z.object({
    type: z.literal('settle'),
    ...command,
    fence: FenceSchema,
    runners: z.array(RunnerIdSchema),
  }),
  prefetch: z.object({
    type: z.literal('prefetch'),
    ...command,
    images: z.array(z.object({ image: Text.min(1), pull: PullPolicySchema })),
  }),
  ack: z.object({ type: z.literal('ack'), ...numbered }),
  goodbye: z.object({
    type: z.literal('goodbye'),
    code: z.enum(GOODBYE_CODES),
    message: Text,
    retry: z.boolean(),
  }),
} satisfies { [Type in HubMessage['type']]: z.ZodType<Extract<HubMessage, { type: Type }>> }
