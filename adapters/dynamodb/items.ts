import * as z from 'zod'
import {
  connectionId,
  END_CODES,
  epoch,
  fence,
  type Host,
  HOST_STATES,
  hostId,
  type HostImages,
  type HostLiveness,
  type Lease,
  type LeaseNotes,
  messageOf,
  NO_NOTES,
  OUTCOMES,
  reservationId,
  type Runner,
  runnerId,
  SlipwayError,
  sourceId,
  type SourceStatus,
  STOP_REASONS,
  templateKey,
} from '../../core/model/index.ts'
import type { Key } from './keys.ts'
import type { Row } from './table-client.ts'

/*
 * The schema of each item. Every item read, and every item written as a whole, is parsed here: so this build never
 * writes an item that it could not read, and never stores a field that is not listed here.
 */

const count = z.int().nonnegative()
/** Epoch ms by the hub's clock. */
const time = z.number()

/** A text or number that one of the core's id functions must accept. */
function checked<I, O>(raw: z.ZodType<I>, check: (value: I) => O) {
  return raw.transform((value, context): O => {
    try {
      return check(value)
    } catch (thrown) {
      context.issues.push({ code: 'custom', message: messageOf(thrown), input: value })
      return z.NEVER
    }
  })
}

const HostIdText = checked(z.string(), hostId)
const RunnerIdText = checked(z.string(), runnerId)
const TemplateKeyText = checked(z.string(), templateKey)
const EpochNumber = checked(z.number(), epoch)
const FenceNumber = checked(z.number(), fence)

/** One of the words of a union type of the core. */
function words<const W extends string>(all: readonly W[]) {
  const isWord = (value: unknown): value is W => all.some((word) => word === value)
  return z.custom<W>(isWord, `expected one of ${all.join(', ')}`)
}

const EndCodeText = words(END_CODES)
const OutcomeText = words(OUTCOMES)
const StopReasonText = words(STOP_REASONS)
const HostStateText = words(HOST_STATES)

const SlotItem = z.object({ template: TemplateKeyText, cpuMillis: count, memoryMib: count })
const BackoffItem = z.object({ failures: count, until: time })
/** The state of one image in `ImagesItem`. */
export const ImageItem = z.discriminatedUnion('state', [
  z.object({ state: z.literal('present') }),
  z.object({ state: z.literal('pulling') }),
  z.object({ state: z.literal('failed'), reason: z.string(), retryAt: time }),
])

/** A map whose keys are ids, stored as an object. */
function mapOf<K, V>(check: (text: string) => K, value: z.ZodType<V>) {
  return checked(z.record(z.string(), value), (entries): ReadonlyMap<K, V> => {
    return new Map(Object.entries(entries).map(([key, one]) => [check(key), one]))
  })
}

export const HostItem = z.object({
  id: HostIdText,
  tags: z.array(z.string()),
  tokenHash: z.string(),
  state: HostStateText,
  stateSince: time,
  epoch: EpochNumber,
  connection: checked(z.string(), connectionId).nullable(),
  install: z.string().nullable(),
  fence: FenceNumber,
  capacity: z.object({ runners: count, cpuMillis: count, memoryMib: count }),
  accepting: z.boolean(),
  notAcceptingReason: z.string().nullable(),
  slots: mapOf(runnerId, SlotItem),
  backoffs: mapOf(templateKey, BackoffItem),
  revision: count,
}) satisfies z.ZodType<Host>

export const LivenessItem = z.object({
  host: HostIdText,
  epoch: EpochNumber,
  lastSeenAt: time,
  expectedBy: time,
  startsPerMinute: z.number().nullable(),
}) satisfies z.ZodType<HostLiveness>

export const ImagesItem = z.object({
  host: HostIdText,
  images: mapOf((image) => image, ImageItem),
  revision: count,
}) satisfies z.ZodType<HostImages>

const RUNNER_FACTS = {
  id: RunnerIdText,
  template: TemplateKeyText,
  host: HostIdText,
  source: checked(z.string(), sourceId),
  labels: z.array(z.string()),
  reservation: z.object({ id: checked(z.string(), reservationId), expiresAt: time }).nullable(),
  reservedAt: time,
  stop: z.object({ reason: StopReasonText, requestedAt: time }).nullable(),
  cpuMillis: count,
  memoryMib: count,
}

export const RunnerItem = z.discriminatedUnion('state', [
  z.object({ state: z.literal('reserved'), ...RUNNER_FACTS }),
  z.object({ state: z.literal('dispatched'), ...RUNNER_FACTS, epoch: EpochNumber, dispatchedAt: time }),
  z.object({ state: z.literal('running'), ...RUNNER_FACTS, startedAt: time }),
  z.object({
    state: z.literal('gone'),
    ...RUNNER_FACTS,
    outcome: OutcomeText,
    code: EndCodeText,
    reason: z.string(),
    exitCode: z.int().nullable(),
    startedAt: time.nullable(),
    goneAt: time,
  }),
]) satisfies z.ZodType<Runner>

export const NotesItem = z.object({
  mintWindows: z.record(z.string(), z.object({ startedAt: time, calls: count })),
  reportedUpTo: z.record(z.string(), time),
  // Older builds wrote notes without these two fields.
  lastWorkAt: time.default(NO_NOTES.lastWorkAt),
  workLeft: z.boolean().default(NO_NOTES.workLeft),
}) satisfies z.ZodType<LeaseNotes>

export const LeaseItem = z.object({
  holder: z.string(),
  build: z.string(),
  fence: FenceNumber,
  takenAt: time.default(0),
  expiresAt: time,
  handOverAt: time.nullable().default(null),
  yieldTo: z.string().nullable(),
  // L14: notes are only an optimisation, so damaged notes are replaced by empty ones.
  notes: NotesItem.catch({ ...NO_NOTES }),
}) satisfies z.ZodType<Lease>

export const StatusItem = z.object({
  source: checked(z.string(), sourceId),
  checkedAt: time,
  state: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('ok') }),
    z.object({ kind: z.literal('secret-missing'), parameter: z.string() }),
    z.object({ kind: z.literal('failing'), code: z.string(), message: z.string() }),
  ]),
  waiting: z.array(
    z.object({
      labels: z.array(z.string()),
      queued: count,
      reserved: count,
      oldestQueuedAt: time.nullable(),
    }),
  ),
  refusals: z.array(z.object({ labels: z.array(z.string()), count, text: z.string() })),
}) satisfies z.ZodType<SourceStatus>

export const CrashReportItem = z.object({
  part: count,
  parts: count,
  /** Deflated: logs shrink to a fifth, and a scan of the table reads these items as well. */
  packed: z.instanceof(Uint8Array),
})

/** Throws `store-item-corrupt` for an item that this build can't read. */
export function parseItem<T>(shape: z.ZodType<T>, row: Row): T {
  const parsed = shape.safeParse(row)
  if (parsed.success) return parsed.data
  throw new SlipwayError(
    'store-item-corrupt',
    `Item ${nameOf(row)} is invalid: ${problemsOf(parsed.error)}. It is damaged or was written by another version. ` +
      'Repair it, or remove it once its containers are gone.',
    { cause: parsed.error },
  )
}

/** Path and problem without the values: an item may contain texts of a job. */
function problemsOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'item'}: ${message}`).join('; ')
}

function nameOf({ pk, sk }: Key): string {
  return `${pk}/${sk}`
}
