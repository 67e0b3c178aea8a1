import { SlipwayError } from '../../core/model/index.ts'
import type { Key } from './keys.ts'

/**
 * Limits on what one write may add to an item. Together they keep every item under DynamoDB's limit of 400 KB, and
 * keep frequently written items small, because a write is billed by the size of the whole item.
 */
export const BYTES_MAX = {
  /** Rewritten every few seconds. */
  lease: 16_000,
  /** A host without its slots and backoffs. */
  host: 2_000,
  liveness: 1_000,
  /** Image states with the reasons of failures, received in one frame of 30 KB. */
  images: 64_000,
  /** Labels, and a reason that may fill one frame of 30 KB. */
  runner: 48_000,
  /** Labels and explanations of a bounded number of waiting label sets. */
  status: 128_000,
  /** Compressed text of one part, received in one frame of 30 KB. */
  'crash-report': 64_000,
  /** One version of the templates, text and expansion, compressed: a hundred templates take about 10 KB. */
  templates: 380_000,
} as const

/** Throws `store-item-too-large` if `value` exceeds the limit of its kind; nothing was written then. */
export function assertFits(kind: keyof typeof BYTES_MAX, key: Key, value: unknown): void {
  const bytes = encodedBytes(value)
  if (bytes <= BYTES_MAX[kind]) return
  throw new SlipwayError(
    'store-item-too-large',
    `Refused to write ${bytes} bytes to the ${kind} item ${key.pk}/${key.sk}: the limit is ${BYTES_MAX[kind]}. ` +
      'A text in it (a reason, a tag or a label) is too long: shorten it at its origin.',
  )
}

/** Upper bound of the size that DynamoDB counts: names and texts in UTF-8, numbers and overhead rounded up. */
export function encodedBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Uint8Array) return value.byteLength
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + 1 + encodedBytes(one), 3)
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).reduce(
      (sum, [name, one]) => sum + 1 + Buffer.byteLength(name) + encodedBytes(one),
      3,
    )
  }
  return typeof value === 'number' ? 21 : 1
}
