import * as z from 'zod'
import {
  MESSAGE_MAX_BYTES,
  PROTOCOL_VERSION,
  SlipwayError,
  type AgentMessage,
  type HubMessage,
} from '../core/model/index.ts'
import { revealed, utf8Bytes } from './agent-bytes.ts'
import { AGENT_MESSAGES, HUB_MESSAGES } from './agent-schemas.ts'

export {
  CRASH_REPORT_PART_MAX_CHARACTERS,
  chunkBySize,
  splitCrashReport,
  splitHubMessage,
  splitImages,
  splitReport,
  splitSnapshot,
  type SnapshotPart,
} from './agent-parts.ts'

/**
 * Encodes and decodes the messages between hub and agent: one JSON object per WebSocket frame, `{"v":1,"type":…}`.
 * docs/protocol.md describes them.
 *
 * Decoding throws `message-invalid` (its message has the field, never a value) or `protocol-unsupported` (another
 * version). Encoding throws `message-too-large`: split messages first.
 */

/** The versions that this build reads: its own and, once there are two, the previous one. */
const VERSIONS_READ: readonly number[] = [PROTOCOL_VERSION]

const Envelope = z.object({ v: z.int(), type: z.string() })

export function encodeAgentMessage(message: AgentMessage): string {
  return encode(message)
}

export function decodeAgentMessage(text: string): AgentMessage {
  return decode<AgentMessage>(text, AGENT_MESSAGES)
}

/** The only encoding that reveals the secrets of a launch. */
export function encodeHubMessage(message: HubMessage): string {
  return encode(
    message.type === 'launch' ? { ...message, launches: message.launches.map(revealed) } : message,
  )
}

/** The secret values of a launch are wrapped in `Secret`. */
export function decodeHubMessage(text: string): HubMessage {
  return decode<HubMessage>(text, HUB_MESSAGES)
}

function encode(message: { readonly type: string; readonly [field: string]: unknown }): string {
  const text = JSON.stringify({ v: PROTOCOL_VERSION, ...message })
  const bytes = utf8Bytes(text)
  if (bytes <= MESSAGE_MAX_BYTES) return text
  throw new SlipwayError(
    'message-too-large',
    `A "${message.type}" message has ${bytes} bytes; the limit is ${MESSAGE_MAX_BYTES}. It must be split before encoding.`,
  )
}

function decode<M>(text: string, schemas: Readonly<Record<string, z.ZodType<M>>>): M {
  const bytes = utf8Bytes(text)
  if (bytes > MESSAGE_MAX_BYTES) throw invalid(`has ${bytes} bytes; the limit is ${MESSAGE_MAX_BYTES}`)
  const raw = parseJson(text)
  const envelope = Envelope.safeParse(raw)
  if (!envelope.success) throw invalid(`has no envelope: ${describeIssue(envelope.error)}`)
  const { v, type } = envelope.data
  // A goodbye has the same form in every version, so that incompatible versions can still end a session.
  if (!VERSIONS_READ.includes(v) && type !== 'goodbye') throw unsupported(v)
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined
  if (schema === undefined) throw invalid('is of an unknown "type"')
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw invalid(`("${type}") is malformed at ${describeIssue(parsed.error)}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message is dropped, because it quotes the text, which may contain a token.
    throw invalid('is not JSON')
  }
}

function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  const path = (issue?.path ?? []).map(pathPart).join('.')
  return `"${path}": ${issue?.message ?? 'no detail'}`
}

/** Keys of maps come from the peer: only those in the form of a name are shown. */
function pathPart(part: PropertyKey): string {
  const text = String(part)
  return /^[\w-]{1,64}$/.test(text) ? text : '?'
}

function invalid(what: string): SlipwayError {
  return new SlipwayError(
    'message-invalid',
    `A message between hub and agent ${what}. If both are of the same release, this is a bug in Slipway.`,
  )
}

function unsupported(version: number): SlipwayError {
  return new SlipwayError(
    'protocol-unsupported',
    `The peer uses version ${version} of the hub↔agent protocol, but this build supports ${VERSIONS_READ.join(' and ')}. Upgrade the older one: hub and agents may be at most one version apart.`,
  )
}
