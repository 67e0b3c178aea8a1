import {
  MESSAGE_MAX_BYTES,
  PROTOCOL_VERSION,
  epoch,
  runnerId,
  SlipwayError,
  unreachable,
  type AgentMessage,
  type HubMessage,
  type RunnerId,
  type RunnerSighting,
  type SnapshotEntry,
} from '../core/model/index.ts'
import { revealed, utf8Bytes } from './agent-bytes.ts'

/* Splits content that is longer than one frame into several messages, in order and without loss. */

/**
 * Groups items, in order, so that the JSON of each group has at most `roomBytes` bytes, commas included. Throws
 * `message-too-large` for an item that fits in no message, with its `name`.
 */
export function chunkBySize<T>(
  items: readonly T[],
  limits: { roomBytes: number; bytesOf: (item: T) => number; name: (item: T) => string },
): T[][] {
  const chunks: T[][] = []
  let left = 0
  for (const item of items) {
    const bytes = limits.bytesOf(item) + 1
    if (bytes > limits.roomBytes) throw tooLarge(limits.name(item), bytes, limits.roomBytes)
    const last = chunks.at(-1)
    if (last === undefined || bytes > left) {
      chunks.push([item])
      left = limits.roomBytes - bytes
    } else {
      last.push(item)
      left -= bytes
    }
  }
  return chunks
}

/** Splits a command into messages that each fit in one frame. All parts have the same `command`. */
export function splitHubMessage(message: HubMessage): readonly HubMessage[] {
  switch (message.type) {
    case 'launch':
      return inParts(message, message.launches, 'launches', {
        bytesOf: (order) => jsonBytes(revealed(order)),
        name: (order) => `the launch of runner ${order.runner}`,
      }).map((launches) => replaced(message, { launches }))
    case 'stop':
      return inParts(message, message.runners, 'runners', {
        bytesOf: jsonBytes,
        name: (order) => `the stop of runner ${order.runner}`,
      }).map((runners) => replaced(message, { runners }))
    case 'settle':
      return inParts(message, message.runners, 'runners', {
        bytesOf: jsonBytes,
        name: (runner) => `the settling of runner ${runner}`,
      }).map((runners) => replaced(message, { runners }))
    case 'prefetch':
      return inParts(message, message.images, 'images', {
        bytesOf: jsonBytes,
        name: () => 'the name of an image',
      }).map((images) => replaced(message, { images }))
    case 'welcome':
    case 'ack':
    case 'goodbye':
      return [message]
    default:
      return unreachable(message)
  }
}

/** Splits sightings into groups that each fit in one `report`. */
export function splitReport(runners: readonly RunnerSighting[]): readonly (readonly RunnerSighting[])[] {
  return chunkBySize(runners, {
    roomBytes: room({ type: 'report', ...LARGEST_NUMBERS, runners: [] }),
    bytesOf: jsonBytes,
    name: ({ runner }) => `the report about runner ${runner}`,
  })
}

export type ImageReport = Extract<AgentMessage, { type: 'images' }>['images'][number]

/** Splits image states into groups that each fit in one `images` message. */
export function splitImages(images: readonly ImageReport[]): readonly (readonly ImageReport[])[] {
  return chunkBySize(images, {
    roomBytes: room({ type: 'images', ...LARGEST_NUMBERS, images: [] }),
    bytesOf: jsonBytes,
    name: () => 'the state of an image',
  })
}

export interface SnapshotPart {
  readonly entries: readonly SnapshotEntry[]
  readonly complete: readonly RunnerId[] | null
}

/** Splits a snapshot into parts that each fit in one frame: entries first; the last part lists every id. */
export function splitSnapshot(
  entries: readonly SnapshotEntry[],
  complete: readonly RunnerId[],
): readonly SnapshotPart[] {
  const roomBytes = room({ type: 'snapshot', ...LARGEST_NUMBERS, entries: [], complete: [] })
  const completeBytes = jsonBytes(complete)
  if (completeBytes > roomBytes)
    throw tooLarge(`the list of ${complete.length} runners`, completeBytes, roomBytes)
  const chunks = chunkBySize(entries, { roomBytes, bytesOf: jsonBytes, name: nameOfEntry })
  const last = chunks.at(-1) ?? []
  const lastBytes = last.reduce((sum, entry) => sum + jsonBytes(entry) + 1, 0)
  const parts = chunks.slice(0, -1).map((chunk): SnapshotPart => ({ entries: chunk, complete: null }))
  if (lastBytes + completeBytes <= roomBytes) return [...parts, { entries: last, complete }]
  return [...parts, { entries: last, complete: null }, { entries: [], complete }]
}

function nameOfEntry({ runner }: SnapshotEntry): string {
  return `the snapshot of runner ${runner}`
}

/** Part of the protocol: the hub stores each part as one small item. */
export const CRASH_REPORT_PART_MAX_CHARACTERS = 20_000

/** Splits a crash report into parts of at most 20,000 characters that each fit in one frame after JSON escaping. */
export function splitCrashReport(text: string): readonly string[] {
  const roomBytes = room({
    type: 'black-box',
    ...LARGEST_NUMBERS,
    runner: runnerId('00000000-0000-0000-0000-000000000000'),
    part: Number.MAX_SAFE_INTEGER,
    parts: Number.MAX_SAFE_INTEGER,
    text: '',
  })
  const parts: string[] = []
  for (let from = 0; from < text.length; ) {
    const part = fittingPrefix(text.slice(from, from + CRASH_REPORT_PART_MAX_CHARACTERS), roomBytes)
    parts.push(part)
    from += part.length
  }
  return parts.length === 0 ? [''] : parts
}

/** Halves the text until it fits; never splits a surrogate pair. */
function fittingPrefix(text: string, roomBytes: number): string {
  if (text.length <= 2 || jsonBytes(text) - 2 <= roomBytes) return wholeCharacters(text)
  return fittingPrefix(text.slice(0, Math.ceil(text.length / 2)), roomBytes)
}

function wholeCharacters(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  const cutsPair = text.length > 1 && last >= 0xd8_00 && last <= 0xdb_ff
  return cutsPair ? text.slice(0, -1) : text
}

const LARGEST_NUMBERS = {
  epoch: epoch(Number.MAX_SAFE_INTEGER),
  seq: Number.MAX_SAFE_INTEGER,
} as const

/** An empty list is one message, because "none" must be sent as well. */
function inParts<T>(
  message: HubMessage,
  items: readonly T[],
  list: string,
  measure: { bytesOf: (item: T) => number; name: (item: T) => string },
): readonly (readonly T[])[] {
  if (items.length === 0) return [[]]
  return chunkBySize(items, { roomBytes: room({ ...message, [list]: [] }), ...measure })
}

function replaced<M extends HubMessage>(message: M, list: Partial<M>): M {
  return { ...message, ...list }
}

/** Bytes that a frame has left for content, when `message` is sent without any. */
function room(message: AgentMessage | HubMessage): number {
  return MESSAGE_MAX_BYTES - jsonBytes({ v: PROTOCOL_VERSION, ...message })
}

function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value))
}

function tooLarge(what: string, bytes: number, roomBytes: number): SlipwayError {
  return new SlipwayError(
    'message-too-large',
    `${what} does not fit in a message: it has ${bytes} bytes, but only ${roomBytes} are free. Shorten the environment, labels or image name of its template.`,
  )
}
