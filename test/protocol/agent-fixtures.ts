import {
  epoch,
  fence,
  hostId,
  runnerId,
  Secret,
  sourceId,
  templateKey,
  type AgentMessage,
  type HubMessage,
} from '../../core/model/index.ts'

/* One message of each type, with every optional turn of its shape taken once. */

const FIRST = runnerId('01920000-0000-7000-8000-000000000001')
const SECOND = runnerId('01920000-0000-7000-8000-000000000002')
const THIRD = runnerId('01920000-0000-7000-8000-000000000003')
const FOURTH = runnerId('01920000-0000-7000-8000-000000000004')

const ORIGIN = {
  template: templateKey('ubuntu-4'),
  source: sourceId('shipfox'),
  labels: ['4vcpu', 'ubuntu'],
  reservation: 'res-7',
  cpuMillis: 4_000,
  memoryMib: 8_192,
}
const END = {
  outcome: 'failed',
  code: 'exited-with-error',
  reason: 'It exited with code 2.',
  exitCode: 2,
} as const
const NEVER = {
  outcome: 'failed',
  code: 'never-arrived',
  reason: 'Its launch never arrived.',
  exitCode: null,
} as const

export const AGENT_FIXTURES: {
  readonly [Type in AgentMessage['type']]: Extract<AgentMessage, { type: Type }>
} = {
  hello: {
    type: 'hello',
    agentVersion: '0.1.0',
    install: '0123456789abcdef0123456789abcdef',
    engine: { kind: 'docker', version: '27.1.1', bootId: 'b-1' },
    capacity: { cpuMillis: 16_000, memoryMib: 65_536, runners: 500 },
    accepting: false,
    notAcceptingReason: 'The engine can not be used.',
    fence: fence(12),
  },
  snapshot: {
    type: 'snapshot',
    epoch: epoch(4),
    seq: 1,
    entries: [
      { runner: FIRST, sighting: { phase: 'accepted' }, cleared: false, origin: ORIGIN },
      {
        runner: SECOND,
        sighting: { phase: 'running', agoMs: 1_500 },
        cleared: false,
        origin: { ...ORIGIN, reservation: null },
      },
    ],
    complete: [FIRST, SECOND],
  },
  report: {
    type: 'report',
    epoch: epoch(4),
    seq: 2,
    runners: [
      {
        runner: THIRD,
        sighting: { phase: 'exited', agoMs: 20, startedAgoMs: 61_000, end: END },
        cleared: true,
      },
      { runner: FOURTH, sighting: { phase: 'refused', end: NEVER }, cleared: true },
    ],
  },
  heartbeat: {
    type: 'heartbeat',
    epoch: epoch(4),
    seq: 3,
    accepting: true,
    notAcceptingReason: null,
    startsPerMinute: 610,
    nextInMs: 240_000,
  },
  images: {
    type: 'images',
    epoch: epoch(4),
    seq: 4,
    images: [
      { image: 'runner:1', status: { state: 'present' } },
      { image: 'runner:2', status: { state: 'pulling' } },
      { image: 'runner:3', status: { state: 'failed', reason: 'not found', retryInMs: 60_000 } },
    ],
  },
  'black-box': {
    type: 'black-box',
    epoch: epoch(4),
    seq: 5,
    runner: THIRD,
    part: 1,
    parts: 1,
    text: '{"exitCode":2}',
  },
}

const command = { command: 'cmd-1', epoch: epoch(4) }

export const HUB_FIXTURES: { readonly [Type in HubMessage['type']]: Extract<HubMessage, { type: Type }> } = {
  welcome: {
    type: 'welcome',
    host: hostId('host-1'),
    epoch: epoch(4),
    heartbeatIdleMs: 240_000,
    heartbeatBusyMs: 60_000,
  },
  launch: {
    type: 'launch',
    ...command,
    fence: fence(12),
    launches: [
      {
        runner: FIRST,
        origin: ORIGIN,
        image: 'runner:1',
        pull: { kind: 'ttl', ttlMs: 86_400_000 },
        isolation: 'runc',
        env: { SHIPFOX_API_URL: 'https://api.example.test' },
        secretEnv: { SHIPFOX_TOKEN: new Secret('sf_ert_example') },
        expiresInMs: 45_000,
        startDeadlineMs: 120_000,
        maxLifetimeMs: 3_600_000,
        stopTimeoutMs: 30_000,
      },
    ],
  },
  stop: {
    type: 'stop',
    ...command,
    fence: fence(12),
    runners: [
      { runner: FIRST, reason: 'canceled' },
      { runner: SECOND, reason: 'never-registered' },
      { runner: THIRD, reason: 'source-ended' },
    ],
  },
  settle: { type: 'settle', ...command, fence: fence(12), runners: [FIRST, FOURTH] },
  prefetch: {
    type: 'prefetch',
    ...command,
    images: [
      { image: 'runner:1', pull: { kind: 'if-not-present' } },
      { image: 'runner:2', pull: { kind: 'always' } },
    ],
  },
  ack: { type: 'ack', epoch: epoch(4), seq: 3 },
  goodbye: { type: 'goodbye', code: 'superseded', message: 'A newer session has begun.', retry: true },
}
