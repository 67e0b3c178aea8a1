import { describe, expect, it } from 'vitest'
import { lineOf } from '../../../adapters/log/index.ts'
import { Meter } from '../../../adapters/cloudwatch/meter.ts'
import {
  type EndCode,
  fence,
  hostId,
  type LogEvent,
  type LogEventOf,
  type LoopFacts,
  runnerId,
  sourceId,
  templateKey,
} from '../../../core/model/index.ts'

const AT = 1_800_000_000_000

const RUNNER = {
  runner: runnerId('0198f000-0000-7000-8000-000000000001'),
  template: templateKey('small'),
  host: hostId('one'),
  source: sourceId('demo'),
  labels: ['small'],
}
const RELEASED = entry({ name: 'lease.released', fence: fence(1), reason: 'stopped' })

function entry(event: LogEvent) {
  return { at: AT, event }
}

function alive(facts: LoopFacts) {
  return entry({ name: 'loop.alive', ...facts })
}

function started(times: { reservedMs: number; queuedMs?: number }) {
  return entry({ name: 'runner.running', ...RUNNER, ...times })
}

function ended(code: EndCode) {
  const end = { outcome: 'failed', code, reason: 'It ended.', exitCode: null } as const
  return entry({ name: 'runner.gone', ...RUNNER, ...end, startedAt: null, goneAt: AT })
}

function swept(counts: Pick<LogEventOf<'sweep.done'>, 'hostsOffline' | 'violations'>) {
  return entry({ name: 'sweep.done', hostsOnline: 0, removed: 0, failures: 0, ...counts })
}

/** What CloudWatch makes metrics of: their names with values, and the dimensions. */
function metricsIn(fields: Readonly<Record<string, unknown>>) {
  const parsed = JSON.parse(JSON.stringify(fields))
  const [directive] = parsed['_aws']?.CloudWatchMetrics ?? []
  const names: { Name: string }[] = directive?.Metrics ?? []
  return Object.fromEntries(names.map(({ Name }) => [Name, parsed[Name]]))
}

const IDLE = {
  working: false,
  hostsOnline: 2,
  hostsOffline: 1,
  waiting: 0,
  running: 0,
  lagMs: 40,
  sourcesFailing: 0,
}
const BUSY = {
  ...IDLE,
  working: true,
  waiting: 5,
  waitingNoRoom: 3,
  waitingNoTemplate: 1,
  waitingOther: 1,
  oldestWaitingMs: 4_000,
  running: 2,
}

describe('metrics', () => {
  it('of an idle fleet are one, with everything else as plain fields', () => {
    const fields = new Meter('hub', { mode: 'economy' }).take(alive(IDLE))
    expect(metricsIn(fields)).toEqual({ LoopAlive: 1 })
    expect(lineOf(alive(IDLE), fields).fields).toMatchObject({ hostsOnline: 2, lagMs: 40, mode: 'economy' })
    expect(fields['_aws']).toEqual({
      Timestamp: AT,
      CloudWatchMetrics: [
        { Namespace: 'Slipway', Dimensions: [['Hub']], Metrics: [{ Name: 'LoopAlive', Unit: 'Count' }] },
      ],
    })
    expect(fields['Hub']).toBe('hub')
  })

  it('of more starts than one line holds are spread over all of them, the slowest among them', () => {
    const meter = new Meter('hub')
    for (let ms = 1; ms <= 1_000; ms += 1) meter.take(started({ reservedMs: ms }))
    const sent = metricsIn(meter.take(alive(BUSY)))['ReservedToRunning'] as number[]
    expect(sent).toHaveLength(100)
    expect([sent[0], sent[94], sent[99]]).toEqual([1, expect.closeTo(950, -1), 1_000])
  })

  it('of a working fleet are sent together, zeros included, with what happened since the last ones', () => {
    const meter = new Meter('hub')
    for (let call = 0; call < 12; call += 1) meter.counting({})
    meter.take(started({ reservedMs: 900, queuedMs: 1_400 }))
    meter.take(started({ reservedMs: 1_100 }))
    meter.take(ended('engine-failed'))
    meter.take(ended('exited'))
    expect(metricsIn(meter.take(alive(BUSY)))).toEqual({
      LoopAlive: 1,
      Waiting: 5,
      WaitingNoRoom: 3,
      WaitingNoTemplate: 1,
      WaitingOther: 1,
      OldestWaiting: 4_000,
      RunnersRunning: 2,
      HostsOnline: 2,
      LoopLag: 40,
      Launches: 2,
      CallsPerLaunch: 6,
      QueuedToRunning: [1_400],
      ReservedToRunning: [900, 1_100],
      FailuresHost: 1,
    })
    const next = metricsIn(meter.take(alive({ ...BUSY, sourcesFailing: 1 })))
    expect(next).toMatchObject({ Launches: 0, SourceFailures: 1 })
    expect(next).not.toHaveProperty('CallsPerLaunch')
    expect(next).not.toHaveProperty('FailuresHost')
  })

  it('that were summed up are sent when the lease is released, without a sign of life', () => {
    const meter = new Meter('hub')
    meter.take(ended('mint-refused'))
    expect(metricsIn(meter.take(RELEASED))).toEqual({ FailuresSource: 1 })
    expect(meter.take(RELEASED)).toEqual({})
  })

  it('of a sweep tell of hosts that are offline and of broken invariants, while there are any', () => {
    const meter = new Meter('hub')
    expect(metricsIn(meter.take(swept({ hostsOffline: 0, violations: 0 })))).toEqual({})
    const fields = meter.take(swept({ hostsOffline: 2, violations: 1 }))
    expect(metricsIn(fields)).toEqual({ HostsOffline: 2, AuditViolations: 1 })
  })

  it('hold at most a hundred values of one kind in a line, which CloudWatch takes', () => {
    const meter = new Meter('hub')
    for (let n = 0; n < 150; n += 1) meter.take(started({ reservedMs: n }))
    expect(metricsIn(meter.take(alive(BUSY)))['ReservedToRunning']).toHaveLength(100)
  })

  it('leave every other line as it is', () => {
    const offline = entry({ name: 'host.offline', host: hostId('one') })
    expect(new Meter('hub', { mode: 'economy' }).take(offline)).toEqual({})
  })
})
