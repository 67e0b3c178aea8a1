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
 * The lines of an agent's journal, which the next agent process reads, also one of the previous or next version. One
 * JSON object per line, without secrets. Times are epoch ms by the host's clock.
 */
const JOURNAL_VERSION = 1

const Time = z.number()
const Origin: z.ZodType<RunnerOrigin | null> = RunnerOriginSchema.nullable()
const BootId = z.string().nullable()

const JournalRecordSchema = z.discriminatedUnion('record', [
  /** A welcome: the hub has accepted this installation. */
  z.object({ record: z.literal('session'), epoch: EpochSchema }),
  z.object({ record: z.literal('fence'), fence: FenceSchema }),
  /** `bootId`: the boot of the engine's machine at that time. */
  z.object({
    record: z.literal('accepted'),
    runner: RunnerIdSchema,
    origin: Origin,
    bootId: BootId,
    at: Time,
  }),
  /** `origin` and `bootId` are used if the runner has no earlier record: its container was found by listing. */
  z.object({
    record: z.literal('running'),
    runner: RunnerIdSchema,
    origin: Origin,
    bootId: BootId,
    startedAt: Time,
    at: Time,
  }),
  /** The runner is being stopped; the code determines how its exit is interpreted. */
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
  /** The runner was not started and never will be. */
  z.object({
    record: z.literal('refused'),
    runner: RunnerIdSchema,
    origin: Origin,
    end: ReportedEndSchema,
    at: Time,
  }),
  /** The container uses no resources of the host any more. */
  z.object({ record: z.literal('cleared'), runner: RunnerIdSchema, at: Time }),
  /** The hub has stored the runner's end and that it is cleared. */
  z.object({ record: z.literal('settled'), runner: RunnerIdSchema, at: Time }),
])

export type JournalRecord = z.output<typeof JournalRecordSchema>
export type RunnerRecord = Exclude<JournalRecord, { record: 'session' | 'fence' }>
export type StopCode = Extract<EndCode, (typeof StopCodes)[number]>

export function encodeJournalRecord(record: JournalRecord): string {
  return `${JSON.stringify({ v: JOURNAL_VERSION, ...record })}\n`
}

/** Null if this build can't read the line: it is truncated, damaged, or from a newer build. */
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
