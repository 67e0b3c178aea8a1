import * as z from 'zod'
import type { EndCode, RunnerOrigin } from '../core/model/index.ts'
import {
  EpochSchema,
  FenceSchema,
  ReportedEndSchema,
  RunnerIdSchema,
  RunnerOriginSchema,
  StopCodes,
} from './agent-schemas.ts'

/**
 * The lines of an agent's journal: what one agent process leaves for the next, of this version or the one before or
 * after. One JSON object per line. No secret has a place in it. Times are the host's wall clock, epoch ms.
 */
const JOURNAL_VERSION = 1

const Time = z.number()
const Origin: z.ZodType<RunnerOrigin | null> = RunnerOriginSchema.nullable()
const BootId = z.string().nullable()

const JournalRecordSchema = z.discriminatedUnion('record', [
  /** A welcome: this installation has been let in. */
  z.object({ record: z.literal('session'), epoch: EpochSchema }),
  z.object({ record: z.literal('fence'), fence: FenceSchema }),
  /** `bootId` = the engine's machine as it stood then. */
  z.object({
    record: z.literal('accepted'),
    runner: RunnerIdSchema,
    origin: Origin,
    bootId: BootId,
    at: Time,
  }),
  /** `origin` and `bootId` matter where nothing was recorded before: a container found by listing. */
  z.object({
    record: z.literal('running'),
    runner: RunnerIdSchema,
    origin: Origin,
    bootId: BootId,
    startedAt: Time,
    at: Time,
  }),
  /** It is being stopped, and why: decides how its exit is read. */
  z.object({
    record: z.literal('stopping'),
    runner: RunnerIdSchema,
    code: z.enum(StopCodes),
    reason: z.string(),
    at: Time,
  }),
  z.object({
    record: z.literal('exited'),
    runner: RunnerIdSchema,
    origin: Origin,
    startedAt: Time.nullable(),
    finishedAt: Time,
    end: ReportedEndSchema,
    at: Time,
  }),
  /** Never started, and never will be. */
  z.object({
    record: z.literal('refused'),
    runner: RunnerIdSchema,
    origin: Origin,
    end: ReportedEndSchema,
    at: Time,
  }),
  /** Its container holds nothing of the host any more. */
  z.object({ record: z.literal('cleared'), runner: RunnerIdSchema, at: Time }),
  /** The hub has its end and its clearing written down. */
  z.object({ record: z.literal('settled'), runner: RunnerIdSchema, at: Time }),
])

export type JournalRecord = z.output<typeof JournalRecordSchema>
export type RunnerRecord = Exclude<JournalRecord, { record: 'session' | 'fence' }>
export type StopCode = Extract<EndCode, (typeof StopCodes)[number]>

export function encodeJournalRecord(record: JournalRecord): string {
  return `${JSON.stringify({ v: JOURNAL_VERSION, ...record })}\n`
}

/** Null: not a record that this build can read (torn, damaged, or of a newer build). */
export function decodeJournalLine(line: string): JournalRecord | null {
  const raw = parseOrNull(line)
  const parsed = JournalRecordSchema.safeParse(raw)
  return parsed.success ? parsed.data : null
}

function parseOrNull(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
