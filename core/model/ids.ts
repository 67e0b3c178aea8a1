import { SlipwayError } from './errors.ts'

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** One runner for its whole life: a lowercase UUIDv7, also the source's `provider_runner_id`. */
export type RunnerId = Brand<string, 'RunnerId'>
/** A host, by the name that its owner gave it. */
export type HostId = Brand<string, 'HostId'>
export type TemplateKey = Brand<string, 'TemplateKey'>
export type SourceId = Brand<string, 'SourceId'>
/** A source's own id of a reservation; opaque. */
export type ReservationId = Brand<string, 'ReservationId'>
/** One open WebSocket; opaque, made by the gateway. */
export type ConnectionId = Brand<string, 'ConnectionId'>
/** Rises by one with each accepted agent session of a host. */
export type Epoch = Brand<number, 'Epoch'>
/** Rises by one with each take-over of the fleet lease. */
export type Fence = Brand<number, 'Fence'>
/** Milliseconds since 1970 by the hub's clock. */
export type EpochMs = number

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** The form of the name of a host or a source, and of a host's tag; `NAME_FORM` says it in words. */
export const NAME_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
export const NAME_FORM = '1 to 63 of a-z, 0-9 and "-", not at the ends'
/** The longest key that the Shipfox API accepts. */
export const TEMPLATE_KEY_MAX_CHARACTERS = 255

export function runnerId(text: string): RunnerId {
  if (!UUID.test(text)) throw bad('runner id', text, 'a lowercase UUID')
  return text as RunnerId
}

export function hostId(text: string): HostId {
  if (!NAME_PATTERN.test(text)) throw bad('host name', text, NAME_FORM)
  return text as HostId
}

export function sourceId(text: string): SourceId {
  if (!NAME_PATTERN.test(text)) throw bad('source name', text, NAME_FORM)
  return text as SourceId
}

export function templateKey(text: string): TemplateKey {
  if (text.length === 0 || text.length > TEMPLATE_KEY_MAX_CHARACTERS) {
    throw bad('template key', text, `1 to ${TEMPLATE_KEY_MAX_CHARACTERS} characters`)
  }
  return text as TemplateKey
}

export function reservationId(text: string): ReservationId {
  if (text.length === 0) throw bad('reservation id', text, 'a non-empty text')
  return text as ReservationId
}

export function connectionId(text: string): ConnectionId {
  if (text.length === 0) throw bad('connection id', text, 'a non-empty text')
  return text as ConnectionId
}

export function epoch(value: number): Epoch {
  if (!Number.isSafeInteger(value) || value < 0) throw bad('epoch', String(value), 'a whole number from 0')
  return value as Epoch
}

/**
 * What the fence of a table that has none starts above: seconds, so that a hub whose state was wiped still stands above
 * what its agents remember of the hub before.
 */
export function firstFence(now: EpochMs): Fence {
  return fence(Math.floor(now / 1000))
}

export function fence(value: number): Fence {
  if (!Number.isSafeInteger(value) || value < 0) throw bad('fence', String(value), 'a whole number from 0')
  return value as Fence
}

/** A fresh UUIDv7: sorts by time of birth. `random` holds at least 10 random bytes. */
export function newRunnerId(now: EpochMs, random: Uint8Array): RunnerId {
  const time = Math.trunc(now).toString(16).padStart(12, '0')
  const tail = Array.from(random.slice(0, 10), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const variant = '89ab'[(random[9] ?? 0) & 3] ?? '8'
  return runnerId(
    `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-${variant}${tail.slice(3, 6)}-${tail.slice(6, 18)}`,
  )
}

function bad(what: string, text: string, expected: string): SlipwayError {
  return new SlipwayError('id-invalid', `"${text}" is not a ${what}: expected ${expected}.`)
}
