import { describe, expect, it } from 'vitest'
import { readSettings, SettingsError, type StageSettings } from '../../lib/settings.ts'
import { DEFAULT_STAGE, STAGES } from '../../lib/stages.ts'

const GOOD: StageSettings = {
  production: false,
  sources: [{ id: 'shipfox', apiUrl: 'https://api.example.com' }],
  logRetentionDays: 14,
}

function read(settings: object = {}, context: Record<string, unknown> = {}) {
  return readSettings({
    stages: { dev: { ...GOOD, ...settings } },
    defaultStage: 'dev',
    context: { '@aws-cdk/core:newStyle': true, 'aws:cdk:version-reporting': false, ...context },
  })
}

function mistakeOf(settings: object, context: Record<string, unknown> = {}): string {
  try {
    read(settings, context)
  } catch (thrown) {
    if (thrown instanceof SettingsError) return thrown.message
    throw thrown
  }
  throw new Error('the settings were taken')
}

describe('the settings', () => {
  it('that are committed are right, and the default stage is one of them', () => {
    for (const stage of [DEFAULT_STAGE, ...Object.keys(STAGES)]) {
      const settings = readSettings({ stages: STAGES, defaultStage: DEFAULT_STAGE, context: { stage } })
      expect(settings.stage).toBe(stage)
    }
    expect(STAGES['prod']?.production).toBe(true)
  })

  it('have defaults for what a hub can do without', () => {
    expect(read()).toEqual({
      ...GOOD,
      stage: 'dev',
      mode: 'auto',
      encryptAlarms: false,
      runbookUrl: 'docs/runbook.md',
      tags: {},
    })
  })

  it('yield to the command line, which gives text', () => {
    const context = {
      production: 'true',
      logRetentionDays: '90',
      mode: 'economy',
      busyHours: '1-5 07:00-19:00',
      alarmEmail: 'ci@example.com',
      shipfoxApiUrl: 'https://one.example.com/path',
      shipfoxRunnerApiUrl: 'https://two.example.com',
    }
    expect(read({}, context)).toMatchObject({
      production: true,
      logRetentionDays: 90,
      mode: 'economy',
      busyHours: '1-5 07:00-19:00',
      alarmEmail: 'ci@example.com',
      sources: [
        { id: 'shipfox', apiUrl: 'https://one.example.com/path', runnerApiUrl: 'https://two.example.com' },
      ],
    })
  })

  it.each([
    [{ production: 'yes' }, 'production: '],
    [{ mode: 'fast' }, 'mode: '],
    [{ busyHours: 'mornings' }, 'busyHours: expected days and hours in UTC, such as "1-5 07:00-19:00"'],
    [{ logRetentionDays: 15 }, 'logRetentionDays: expected one of 1, 3, 5, 7, 14, 30'],
    [{ alarmEmail: 'someone' }, 'alarmEmail: expected an email address'],
    [{ account: '1234' }, 'account: expected the 12 digits of an AWS account'],
    [{ region: 'Ireland' }, 'region: expected a region such as eu-west-1'],
    [{ retention: 14 }, 'retention: unknown setting'],
    [{ sources: [{ id: 'Ship Fox', apiUrl: 'https://a.example' }] }, 'sources.0.id: '],
    [{ sources: [{ id: 'a', apiUrl: 'api.example.com' }] }, 'sources.0.apiUrl: expected an https URL'],
    [{ sources: [{ id: 'a', apiUrl: 'http://api.example.com' }] }, 'sources.0.apiUrl: expected an https URL'],
    [{ sources: [{ id: 'a', apiUrl: 'https://a.example', token: 'x' }] }, 'sources.0.token: unknown setting'],
    [
      {
        sources: [
          { id: 'a', apiUrl: 'https://a.example' },
          { id: 'a', apiUrl: 'https://b.example' },
        ],
      },
      'sources: expected each id once',
    ],
    [{ tags: { '': 'x' } }, 'tags'],
  ])('with a mistake name the field: %j', (settings, mistake) => {
    const lines = mistakeOf(settings).split('\n')
    expect(lines[0]).toContain('stage "dev" (lib/stages.ts')
    expect(lines.slice(1)).toEqual([expect.stringContaining(`  ${mistake}`)])
  })

  it.each([
    [{ production: 'yes' }, 'production: expected true or false'],
    [{ logRetentionDays: 'many' }, 'logRetentionDays: '],
    [{ shipfoxURL: 'https://a.example' }, 'shipfoxURL: unknown setting'],
    [{ shipfoxRunnerApiUrl: 'https://a.example' }, 'shipfoxRunnerApiUrl is set without shipfoxApiUrl'],
    [{ stage: 'test' }, 'stage: there is no stage "test"; lib/stages.ts has dev.'],
    [{ stage: 'constructor' }, 'stage: there is no stage "constructor"'],
  ])('with a mistake on the command line name it: %j', (context, mistake) => {
    expect(mistakeOf({}, context)).toContain(mistake)
  })

  it('list every mistake at once', () => {
    const message = mistakeOf({ mode: 'fast', alarmEmail: 'x', nonsense: 1 })
    expect(message.split('\n')).toHaveLength(4)
  })

  it('refuse names of stages that no stack may have', () => {
    const stages = { 'My Stage': GOOD }
    expect(() => readSettings({ stages, defaultStage: 'My Stage', context: {} })).toThrow(
      'stage: there is no stage "My Stage"; a name has up to 20 lowercase letters, digits and dashes, and starts with a letter.',
    )
  })
})
