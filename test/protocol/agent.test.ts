import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MESSAGE_MAX_BYTES,
  runnerId,
  Secret,
  SlipwayError,
  type AgentMessage,
  type HubMessage,
  type LaunchOrder,
} from '../../core/model/index.ts'
import {
  CRASH_REPORT_PART_MAX_CHARACTERS,
  decodeAgentMessage,
  decodeHubMessage,
  encodeAgentMessage,
  encodeHubMessage,
  splitCrashReport,
  splitHubMessage,
  splitImages,
  splitReport,
  splitSnapshot,
} from '../../protocol/agent.ts'
import { AGENT_FIXTURES, HUB_FIXTURES } from './agent-fixtures.ts'

function golden(name: string): string {
  return readFileSync(new URL(`golden/v1/${name}.json`, import.meta.url), 'utf8')
}

/** Secrets compare by what they hide. */
function revealedOf(message: HubMessage): unknown {
  return JSON.parse(encodeHubMessage(message))
}

function refusal(act: () => unknown): SlipwayError {
  try {
    act()
  } catch (error) {
    if (error instanceof SlipwayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('messages of version 1', () => {
  it.each(Object.values(AGENT_FIXTURES))('agent → hub: $type reads and writes its golden JSON', (message) => {
    const text = golden(`agent-${message.type}`)
    expect(JSON.parse(encodeAgentMessage(message))).toEqual(JSON.parse(text))
    expect(decodeAgentMessage(text)).toEqual(message)
  })

  it.each(Object.values(HUB_FIXTURES))('hub → agent: $type reads and writes its golden JSON', (message) => {
    const text = golden(`hub-${message.type}`)
    expect(revealedOf(message)).toEqual(JSON.parse(text))
    expect(revealedOf(decodeHubMessage(text))).toEqual(JSON.parse(text))
  })

  it('has a golden file for each message, and none beyond', () => {
    const files = readdirSync(new URL('golden/v1', import.meta.url)).toSorted()
    const names = [
      ...Object.keys(AGENT_FIXTURES).map((type) => `agent-${type}.json`),
      ...Object.keys(HUB_FIXTURES).map((type) => `hub-${type}.json`),
    ]
    expect(files).toEqual(names.toSorted())
  })

  it('O1: fields of a newer release are left out, at every depth', () => {
    for (const message of Object.values(AGENT_FIXTURES)) {
      expect(
        decodeAgentMessage(JSON.stringify(withStranger(JSON.parse(golden(`agent-${message.type}`))))),
      ).toEqual(message)
    }
    const launch = decodeHubMessage(JSON.stringify(withStranger(JSON.parse(golden('hub-ack')))))
    expect(launch).toEqual(HUB_FIXTURES.ack)
  })

  it('a launch carries its secrets wrapped, and prints none', () => {
    const launch = decodeHubMessage(golden('hub-launch'))
    if (launch.type !== 'launch') throw new Error('not a launch')
    const secret = launch.launches[0]?.secretEnv['SHIPFOX_TOKEN']
    expect(secret).toBeInstanceOf(Secret)
    expect(secret?.reveal()).toBe('sf_ert_example')
    expect(JSON.stringify(launch)).not.toContain('sf_ert_example')
  })
})

function withStranger(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withStranger)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    key === 'env' || key === 'secretEnv' ? inner : withStranger(inner),
  ])
  return { ...Object.fromEntries(entries), stranger: { of: ['a', 'newer', 'release'] } }
}

describe('what can not be read', () => {
  const canary = 'canary-5d41402a'

  it.each([
    ['no JSON', `{"v":1,"type":"hello",${canary}`, 'message-invalid', /not JSON/],
    ['no object', '[]', 'message-invalid', /envelope/],
    ['no version', '{"type":"hello"}', 'message-invalid', /"v"/],
    ['no type', '{"v":1}', 'message-invalid', /"type"/],
    ['another version', `{"v":9,"type":"hello","x":"${canary}"}`, 'protocol-unsupported', /version 9/],
    ['an unknown type', `{"v":1,"type":"${canary}"}`, 'message-invalid', /unknown "type"/],
    ['a name of the language', '{"v":1,"type":"constructor"}', 'message-invalid', /unknown "type"/],
    [
      'a wrong field',
      `{"v":1,"type":"report","epoch":1,"seq":1,"runners":[{"runner":"${canary}"}]}`,
      'message-invalid',
      /"runners\.0\.runner"/,
    ],
    [
      'a negative epoch',
      '{"v":1,"type":"report","epoch":-1,"seq":1,"runners":[]}',
      'message-invalid',
      /"epoch"/,
    ],
    [
      'a part beyond the last',
      JSON.stringify({ ...JSON.parse(golden('agent-black-box')), part: 2 }),
      'message-invalid',
      /"part"/,
    ],
    [
      'too much',
      JSON.stringify({ v: 1, type: 'report', text: 'x'.repeat(MESSAGE_MAX_BYTES) }),
      'message-invalid',
      /bytes/,
    ],
  ])('%s: a typed error that names the place and repeats no value', (_what, text, code, message) => {
    const error = refusal(() => decodeAgentMessage(text))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain(canary)
    expect(String(error.cause)).not.toContain(canary)
  })

  it('a malformed secret is not repeated', () => {
    const text = golden('hub-launch').replace('"sf_ert_example"', `["${canary}"]`)
    const error = refusal(() => decodeHubMessage(text))
    expect(error.message).toContain('launches.0.secretEnv.SHIPFOX_TOKEN')
    expect(error.message).not.toContain(canary)
  })

  it('an invalid name is not repeated either', () => {
    const text = golden('hub-launch').replace(
      '"SHIPFOX_TOKEN": "sf_ert_example"',
      `"${canary} \\u001b[31m": 5`,
    )
    expect(refusal(() => decodeHubMessage(text)).message).toMatch(/secretEnv\.\?/)
  })

  it('a goodbye is read in any version: it is how two versions part', () => {
    const text = golden('hub-goodbye').replace('"v": 1', '"v": 9')
    expect(decodeHubMessage(text)).toEqual(HUB_FIXTURES.goodbye)
  })

  it('any text at all is refused with a typed error, or read', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    )
    fc.assert(
      fc.property(anything, fc.constantFrom(decodeAgentMessage, decodeHubMessage), (text, read) => {
        expect(['message-invalid', 'protocol-unsupported']).toContain(refusal(() => read(text)).code)
      }),
    )
  })
})

/* ── W3 ── */

const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 }))
const whole = fc.nat()
const runner = fc.uuid({ version: 7 }).map(runnerId)
const origin = fc.record({
  template: fc.string({ minLength: 1, maxLength: 255 }),
  source: fc.constant('shipfox'),
  labels: fc.array(fc.string({ maxLength: 128 }), { maxLength: 20 }),
  reservation: fc.option(text),
  cpuMillis: whole,
  memoryMib: whole,
})
const end = fc.record({
  outcome: fc.constantFrom('finished', 'failed', 'lost'),
  code: fc.constantFrom('exited', 'stopped', 'engine-failed'),
  reason: text,
  exitCode: fc.option(fc.integer()),
})
const sighting = fc.oneof(
  fc.record({ phase: fc.constant('accepted') }),
  fc.record({ phase: fc.constant('running'), agoMs: whole }),
  fc.record({ phase: fc.constant('exited'), agoMs: whole, startedAgoMs: fc.option(whole), end }),
  fc.record({ phase: fc.constant('refused'), end }),
)
const sightings = fc.array(fc.record({ runner, sighting, cleared: fc.boolean() }), {
  maxLength: 500,
  size: 'max',
})
const entries = fc.array(fc.record({ runner, sighting, cleared: fc.boolean(), origin }), {
  maxLength: 200,
  size: 'max',
})
const launches = fc.array(
  fc.record({
    runner,
    origin,
    image: fc.string({ minLength: 1, maxLength: 200 }),
    pull: fc.oneof(fc.constant({ kind: 'always' }), fc.record({ kind: fc.constant('ttl'), ttlMs: whole })),
    isolation: fc.constantFrom('runc', 'sysbox'),
    env: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,20}$/), text, { maxKeys: 10 }),
    secretEnv: fc.dictionary(
      fc.stringMatching(/^[A-Z_]{1,20}$/),
      text.map((value) => new Secret(value)),
      { maxKeys: 3 },
    ),
    expiresInMs: whole,
    startDeadlineMs: whole,
    maxLifetimeMs: whole,
    stopTimeoutMs: whole,
  }),
  { maxLength: 60, size: 'max' },
)

/** Before `toJSON` has hidden it. */
function reveal(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key]
  return raw instanceof Secret ? raw.reveal() : value
}

function fits(frame: string): void {
  expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
}

const NUMBERS = { epoch: Number.MAX_SAFE_INTEGER as never, seq: Number.MAX_SAFE_INTEGER }

describe('W3: whatever is said, every frame is within 30,000 bytes, nothing is lost, order is kept', () => {
  it('reports', () => {
    fc.assert(
      fc.property(sightings, (generated) => {
        const all = generated as never as Extract<AgentMessage, { type: 'report' }>['runners']
        const frames = splitReport(all).map((runners) =>
          encodeAgentMessage({ type: 'report', ...NUMBERS, runners }),
        )
        frames.forEach(fits)
        const read = frames
          .map(decodeAgentMessage)
          .flatMap((message) => (message.type === 'report' ? message.runners : []))
        expect(read).toEqual(all)
      }),
      { numRuns: 30 },
    )
  })

  it('snapshots, with the whole list of ids in the last part', () => {
    fc.assert(
      fc.property(entries, fc.array(runner, { maxLength: 500, size: 'max' }), (generated, complete) => {
        const all = generated as never as Extract<AgentMessage, { type: 'snapshot' }>['entries']
        const parts = splitSnapshot(all, complete)
        const frames = parts.map((part) => encodeAgentMessage({ type: 'snapshot', ...NUMBERS, ...part }))
        frames.forEach(fits)
        const read = frames
          .map(decodeAgentMessage)
          .flatMap((message) => (message.type === 'snapshot' ? [message] : []))
        expect(read.flatMap((part) => part.entries)).toEqual(all)
        expect(read.map((part) => part.complete)).toEqual([...parts.slice(1).map(() => null), complete])
      }),
      { numRuns: 30 },
    )
  })

  it('launches, secrets included', () => {
    fc.assert(
      fc.property(launches, (generated) => {
        const all = generated as never as readonly LaunchOrder[]
        const message: HubMessage = { ...HUB_FIXTURES.launch, launches: all }
        const frames = splitHubMessage(message).map(encodeHubMessage)
        frames.forEach(fits)
        const read = frames.flatMap((frame) => (JSON.parse(frame) as { launches: unknown[] }).launches)
        const sent = JSON.parse(JSON.stringify(all, reveal)) as unknown
        expect(read).toEqual(sent)
        frames.forEach(decodeHubMessage)
      }),
      { numRuns: 30 },
    )
  })

  it('stops, settles, prefetches and image states', () => {
    const ids = fc.array(runner, { maxLength: 2_000, size: 'max' })
    const names = fc.array(fc.string({ minLength: 1, maxLength: 500, unit: 'binary' }), {
      maxLength: 300,
      size: 'max',
    })
    fc.assert(
      fc.property(ids, names, (runners, images) => {
        const stop: HubMessage = {
          ...HUB_FIXTURES.stop,
          runners: runners.map((id) => ({ runner: id, reason: 'canceled' })),
        }
        const settle: HubMessage = { ...HUB_FIXTURES.settle, runners }
        const prefetch: HubMessage = {
          ...HUB_FIXTURES.prefetch,
          images: images.map((image) => ({ image, pull: { kind: 'always' } })),
        }
        for (const message of [stop, settle, prefetch]) {
          const frames = splitHubMessage(message).map(encodeHubMessage)
          frames.forEach(fits)
          const list = message.type === 'prefetch' ? 'images' : 'runners'
          const read = frames.flatMap((frame) => (JSON.parse(frame) as Record<string, unknown[]>)[list] ?? [])
          expect(read).toEqual((message as never as Record<string, unknown[]>)[list])
        }
        const states = images.map((image) => ({
          image,
          status: { state: 'failed', reason: image, retryInMs: 1 } as const,
        }))
        const told = splitImages(states)
        told.forEach((part) => fits(encodeAgentMessage({ type: 'images', ...NUMBERS, images: part })))
        expect(told.flat()).toEqual(states)
      }),
      { numRuns: 20 },
    )
  })

  it('crash reports, whatever characters a job wrote', () => {
    const wild = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60_000, size: 'max' }),
      fc
        .constantFrom('\u001b', '𝕏', '€', '"', '\\', '\ud800', 'a')
        .chain((character) => fc.nat(70_000).map((count) => character.repeat(count))),
    )
    fc.assert(
      fc.property(wild, (content) => {
        const parts = splitCrashReport(content)
        expect(parts.join('')).toBe(content)
        parts.forEach((part, index) => {
          expect(part.length).toBeLessThanOrEqual(CRASH_REPORT_PART_MAX_CHARACTERS)
          const message = {
            ...AGENT_FIXTURES['black-box'],
            ...NUMBERS,
            part: index + 1,
            parts: parts.length,
            text: part,
          }
          fits(encodeAgentMessage(message))
        })
      }),
      { numRuns: 30 },
    )
  })

  it('one thing that fits no frame is a clear error that names it, not its content', () => {
    const huge = { ...HUB_FIXTURES.launch.launches[0]!, env: { BIG: 'canary'.repeat(6_000) } }
    const error = refusal(() => splitHubMessage({ ...HUB_FIXTURES.launch, launches: [huge] }))
    expect(error.code).toBe('message-too-large')
    expect(error.message).toContain(huge.runner)
    expect(error.message).not.toContain('canary')
  })

  it('an empty list is still said', () => {
    expect(splitHubMessage({ ...HUB_FIXTURES.prefetch, images: [] })).toEqual([
      { ...HUB_FIXTURES.prefetch, images: [] },
    ])
    expect(splitSnapshot([], [])).toEqual([{ entries: [], complete: [] }])
  })
})
