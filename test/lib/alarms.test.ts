import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { METRIC_NAMES } from '../../adapters/cloudwatch/metric-names.ts'
import { Meter } from '../../adapters/cloudwatch/meter.ts'
import { PRICES } from '../../lib/prices.ts'
import { synthesize } from './synthesize.ts'
import { hostId, type LogEvent, runnerId, sourceId, templateKey } from '../../core/model/index.ts'

const hub = await synthesize()
const alarms = hub.ofType('AWS::CloudWatch::Alarm')
const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')

const Section = /^## (?<name>\S+)\n(?<text>(?:(?!^## )[^])*)/gm
const sections = [...runbook.matchAll(Section)].map(({ groups }) => ({
  name: groups?.['name'] ?? '',
  text: groups?.['text'] ?? '',
}))

/** The name in the link to the runbook. */
function nameOf(properties: Readonly<Record<string, unknown>>): string {
  return (
    /docs\/runbook\.md#(?<name>[a-z-]+)$/.exec(String(properties['AlarmDescription']))?.groups?.['name'] ?? ''
  )
}

function find(name: string): Readonly<Record<string, unknown>> {
  const found = alarms.find(({ properties }) => nameOf(properties) === name)
  if (found === undefined) throw new Error(`no alarm ${name}`)
  return found.properties
}

describe('the alarms', () => {
  it('have one section of the runbook each, and the runbook has no other', () => {
    const names = alarms.map(({ properties }) => nameOf(properties))
    expect(names.toSorted()).toEqual(sections.map(({ name }) => name).toSorted())
    expect(new Set(names).size).toBe(names.length)
  })

  it.each(sections)('of $name: the section says what it is, how to look and how to fix', ({ text }) => {
    const titles = [...text.matchAll(/^### (.*)$/gm)].map(([, title]) => title)
    expect(titles).toEqual(['Description', 'How to look', 'How to fix'])
    for (const part of text.split(/^### .*$/m).slice(1)) expect(part.trim().length).toBeGreaterThan(40)
  })

  it('link the runbook that the settings name', async () => {
    const own = await synthesize({ context: { runbookUrl: 'https://wiki.example.com/ci' } })
    for (const { properties } of own.ofType('AWS::CloudWatch::Alarm')) {
      expect(properties['AlarmDescription']).toMatch(/ What to do: https:\/\/wiki\.example\.com\/ci#[a-z-]+$/)
    }
  })

  it('tell the topic when they begin and when they end', () => {
    for (const { properties } of alarms) {
      expect(properties['AlarmActions']).toEqual(['<Alarms/Topic/Topic>'])
      expect(properties['OKActions']).toEqual(['<Alarms/Topic/Topic>'])
      expect(properties['ActionsEnabled'] ?? true).toBe(true)
    }
  })

  it('L12: the dead man is missed after three minutes, whether he is silent or nothing is measured', () => {
    expect(find('loop-silent')).toMatchObject({
      Namespace: 'Slipway',
      MetricName: 'LoopAlive',
      Dimensions: [{ Name: 'Hub', Value: '<Fleet/Table>' }],
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      Period: 60,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 3,
      TreatMissingData: 'breaching',
    })
    expect(find('sweep-fails')).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [{ Name: 'FunctionName', Value: '<Sweep/Sweep/Function>' }],
      Period: 60,
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
    })
  })

  it('take the silence of the others for peace: they are sent only when there is something to tell', () => {
    for (const { properties } of alarms) {
      if (['loop-silent', 'sweep-fails'].includes(nameOf(properties))) continue
      expect([nameOf(properties), properties['TreatMissingData']]).toEqual([
        nameOf(properties),
        'notBreaching',
      ])
    }
  })

  it('watch the errors of every function', () => {
    const watched = alarms
      .filter(({ properties }) => properties['MetricName'] === 'Errors')
      .map(({ properties }) => (properties['Dimensions'] as { Value: string }[])[0]?.Value)
    const functions = hub.ofType('AWS::Lambda::Function').map(({ path }) => `<${path}>`)
    expect(watched.toSorted()).toEqual(functions.toSorted())
  })

  it('read only metrics that the hub or AWS sends, of this hub alone', () => {
    for (const { properties } of alarms) {
      if (properties['Namespace'] !== 'Slipway') continue
      expect(METRIC_NAMES).toContain(properties['MetricName'])
      expect(properties['Dimensions']).toEqual([{ Name: 'Hub', Value: '<Fleet/Table>' }])
    }
  })

  it('cost, with the dashboard and the one metric of an idle hub, less than 5 dollars a month', () => {
    const metrics = alarms.flatMap(({ properties }) =>
      Array.isArray(properties['Metrics'])
        ? properties['Metrics'].filter((metric) => 'MetricStat' in metric)
        : [1],
    )
    const { perAlarmMetricMonth, perDashboardMonth, perMetricMonth } = PRICES.cloudWatch
    const perMonth = metrics.length * perAlarmMetricMonth + perDashboardMonth + perMetricMonth
    expect(hub.ofType('AWS::CloudWatch::Dashboard')).toHaveLength(1)
    expect(perMonth).toBeLessThanOrEqual(4.7)
  })
})

const Widget = z.object({
  type: z.string(),
  properties: z.looseObject({
    title: z.string().optional(),
    markdown: z.string().optional(),
    metrics: z.array(z.array(z.unknown())).optional(),
    alarms: z.array(z.string()).optional(),
    query: z.string().optional(),
  }),
})
const Body = z.object({ periodOverride: z.string().optional(), widgets: z.array(Widget) })

/** The metrics of a log line. */
const Metered = z.object({
  _aws: z.object({
    CloudWatchMetrics: z.array(z.object({ Metrics: z.array(z.object({ Name: z.string() })) })),
  }),
})

describe('the metrics', () => {
  it('that alarms and dashboard know are those that the functions send', () => {
    const meter = new Meter('hub')
    const runner = {
      runner: runnerId('0198f000-0000-7000-8000-000000000001'),
      template: templateKey('small'),
      host: hostId('one'),
      source: sourceId('demo'),
      labels: [],
    }
    const codes = ['engine-failed', 'image-unavailable', 'mint-refused', 'exited-with-error'] as const
    const ends = codes.map((code): LogEvent => {
      const end = { outcome: 'failed', code, reason: 'It ended.', exitCode: null } as const
      return { name: 'runner.gone', ...runner, ...end, startedAt: null, goneAt: 0 }
    })
    const loop = { working: true, running: 1, waiting: 1, lagMs: 1, sourcesFailing: 1 }
    const hosts = { hostsOnline: 1, hostsOffline: 1 }
    const events: readonly LogEvent[] = [
      { name: 'runner.running', ...runner, queuedMs: 1, reservedMs: 1 },
      ...ends,
      { name: 'loop.alive', ...loop },
      { name: 'sweep.done', ...hosts, violations: 1, removed: 0, failures: 0 },
    ]
    const sent = events.flatMap((event) => {
      const metered = Metered.safeParse(meter.take({ at: 0, event }))
      return metered.success ? metered.data['_aws'].CloudWatchMetrics.flatMap(({ Metrics }) => Metrics) : []
    })
    expect(sent.map(({ Name }) => Name).toSorted()).toEqual(METRIC_NAMES.toSorted())
  })
})

describe('the dashboard', () => {
  const [dashboard] = hub.ofType('AWS::CloudWatch::Dashboard')
  const { periodOverride, widgets } = Body.parse(JSON.parse(String(dashboard?.properties['DashboardBody'])))
  const metrics = widgets.flatMap(({ properties }) => properties.metrics ?? [])

  it('answers four questions', () => {
    const titles = widgets.flatMap(({ properties }) => properties.markdown ?? [])
    expect(titles).toEqual([
      '## Is it working?',
      '## Is it fast?',
      '## What is broken?',
      '## What does it cost?',
    ])
  })

  it('shows every alarm', () => {
    const shown = widgets.flatMap(({ properties }) => properties.alarms ?? [])
    expect(shown.toSorted()).toEqual(alarms.map(({ path }) => `<${path}.Arn>`).toSorted())
  })

  it('shows the metrics of this hub alone, and every one that matters to a reader', () => {
    const own = metrics.filter(([namespace]) => namespace === 'Slipway')
    for (const [, name, dimension, value] of own) {
      expect(METRIC_NAMES).toContain(name)
      expect([dimension, value]).toEqual(['Hub', '<Fleet/Table>'])
    }
    const shown = new Set(own.map(([, name]) => name))
    // These two are told in parts, and by the graph of calls.
    const apart = new Set(['Waiting', 'Launches'])
    expect(METRIC_NAMES.filter((name) => !shown.has(name) && !apart.has(name))).toEqual([])
  })

  it('estimates the cost with numbers that CloudWatch can read', () => {
    const expressions = metrics.flatMap((metric) => {
      const last = z.object({ expression: z.string() }).safeParse(metric.at(0))
      return last.success ? [last.data.expression] : []
    })
    expect(expressions).toHaveLength(1)
    expect(expressions[0]).not.toMatch(/\de-\d/)
    expect(expressions[0]!.length).toBeLessThan(1024)
  })

  it('shows whole days of the cost, whatever time it is looked at, and minutes of everything that is told by the minute', () => {
    expect(periodOverride).toBe('inherit')
    const Shown = z.object({ start: z.string(), end: z.string() })
    const cost = widgets.find(({ properties }) => properties.title?.startsWith('US dollars a day'))
    expect(Shown.parse(cost?.properties)).toEqual({ start: '-P14D', end: 'P0D' })
    const Period = z.object({ period: z.number() })
    for (const metric of cost?.properties.metrics ?? [])
      expect([metric, Period.parse(metric.at(-1)).period]).toEqual([metric, 86_400])
    const minutely = metrics.filter(([namespace]) => namespace === 'Slipway')
    for (const metric of minutely) expect([metric, Period.parse(metric.at(-1)).period]).toEqual([metric, 60])
  })

  it('tells of what a function threw as much as of its own warnings', () => {
    const [query] = widgets.flatMap(({ properties }) =>
      properties.title === 'The latest warnings and errors' ? [properties.query ?? ''] : [],
    )
    for (const field of ['message.errorMessage', 'message.code', '"ERROR"', '"error"'])
      expect(query).toContain(field)
  })

  it('reads logs of functions of this hub only', () => {
    const queries = widgets.flatMap(({ properties }) => properties.query ?? [])
    expect(queries).toHaveLength(3)
    for (const query of queries) expect(query).toMatch(/^(SOURCE '<[\w/]+\/Log>' \| )+(fields|filter|stats)/)
  })
})
