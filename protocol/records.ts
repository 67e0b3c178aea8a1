import * as z from 'zod'
import {
  END_CODES,
  type Host,
  HOST_STATES,
  type HostImages,
  type HostLiveness,
  type Lease,
  type LeaseNotes,
  OUTCOMES,
  type Runner,
  NO_NOTES,
  SlipwayError,
  type SourceStatus,
  STOP_REASONS,
  connectionId,
  epoch,
  fence,
  hostId,
  reservationId,
  runnerId,
  sourceId,
  templateKey,
} from '../core/model/index.ts'
import { checked } from './checked.ts'

/*
 * The schema of each record of the hub's state, whatever store keeps it. Every record read, and every record written as
 * a whole, is parsed here: so this build never writes a record that it could not read, and never stores a field that is
 * not listed here.
 */

const count = z.int().nonnegative()
/** Epoch ms by the hub's clock. */
const time = z.number()

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

const SlotRecord = z.object({ template: TemplateKeyText, cpuMillis: count, memoryMib: count })
const BackoffRecord = z.object({ failures: count, until: time })
/** The state of one image in `ImagesRecord`. */
export const ImageRecord = z.discriminatedUnion('state', [
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

export const HostRecord = z.object({
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
  slots: mapOf(runnerId, SlotRecord),
  backoffs: mapOf(templateKey, BackoffRecord),
  revision: count,
}) satisfies z.ZodType<Host>

export const LivenessRecord = z.object({
  host: HostIdText,
  epoch: EpochNumber,
  lastSeenAt: time,
  expectedBy: time,
  startsPerMinute: z.number().nullable(),
}) satisfies z.ZodType<HostLiveness>

export const ImagesRecord = z.object({
  host: HostIdText,
  images: mapOf((image) => image, ImageRecord),
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

export const RunnerRecord = z.discriminatedUnion('state', [
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

export const NotesRecord = z.object({
  mintWindows: z.record(z.string(), z.object({ startedAt: time, calls: count })),
  reportedUpTo: z.record(z.string(), time),
  // Older builds wrote notes without these two fields.
  lastWorkAt: time.default(NO_NOTES.lastWorkAt),
  workLeft: z.boolean().default(NO_NOTES.workLeft),
}) satisfies z.ZodType<LeaseNotes>

export const LeaseRecord = z.object({
  holder: z.string(),
  build: z.string(),
  fence: FenceNumber,
  takenAt: time.default(0),
  expiresAt: time,
  handOverAt: time.nullable().default(null),
  yieldTo: z.string().nullable(),
  // L14: notes are only an optimisation, so damaged notes are replaced by empty ones.
  notes: NotesRecord.catch({ ...NO_NOTES }),
}) satisfies z.ZodType<Lease>

export const StatusRecord = z.object({
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

/** Throws `store-item-corrupt` for a record that this build cannot read. `name` says which record it is. */
export function parseRecord<T>(shape: z.ZodType<T>, name: string, value: unknown): T {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new SlipwayError(
    'store-item-corrupt',
    `${name} is invalid: ${problemsOf(parsed.error)}. It is damaged or was written by another version. ` +
      'Repair it, or remove it once its containers are gone.',
    { cause: parsed.error },
  )
}

/** Path and problem without the values: a record may contain texts of a job. */
function problemsOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'item'}: ${message}`).join('; ')
}
