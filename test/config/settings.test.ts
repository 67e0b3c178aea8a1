import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  parseAgentSettings,
  parseSettings,
  SETTINGS_HELP,
  type Settings,
} from '../../config/index.ts'
import { configErrorOf, thrownBy } from './yaml-text.ts'

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_abcde'
const TOKEN = `sf_pt_${CHARACTERS}`
const SHIPFOX = {
  SHIPFOX_API_URL: 'https://api.example',
  SHIPFOX_PROVISIONER_TOKEN: TOKEN,
  SHIPFOX_PROVISIONER_TEMPLATES_FILE: 'templates.yaml',
}
const settingsOf = (env: Record<string, string>): Settings => parseSettings(env).settings
const issuesIn = (env: Record<string, string>) => configErrorOf(() => parseSettings(env)).issues

describe('settings', () => {
  it('have the documented defaults with an empty environment: the sandbox', () => {
    expect(parseSettings({})).toEqual({
      warnings: [],
      settings: {
        source: { kind: 'sandbox' },
        templatesFile: null,
        runnerApiUrl: null,
        pollWaitSeconds: 30,
        pollIntervalMs: 1000,
        pollMaxIntervalMs: 5000,
        convergeIntervalMs: 1000,
        maxReservations: 250,
        mintBatchMax: { v1: 250, v2: 250 },
        registrationDeadlineMs: 120_000,
        runnerPollMaxDurationMs: 300_000,
        runnerMaxLifetimeSeconds: 3600,
        localAgentToken: null,
        hubPort: 8420,
        docker: {
          host: 'unix:///var/run/docker.sock',
          tlsFolder: null,
          network: null,
          extraHosts: [],
          logDriver: null,
          logOptions: null,
          failedRetentionMs: 3_600_000,
          maxRetainedFailed: 20,
        },
        host: { name: 'local', cpuMillis: null, memoryMib: null, maxRunners: null },
        engine: null,
        stateDir: '.slipway',
        log: 'text',
      },
    })
  })

  it('S10: take every variable of the Docker provisioner', () => {
    const { settings, warnings } = parseSettings({
      ...SHIPFOX,
      SHIPFOX_RUNNER_API_URL: 'http://host.docker.internal:3000/',
      SHIPFOX_PROVISIONER_DOCKER_HOST: 'tcp://10.0.0.1:2376',
      SHIPFOX_PROVISIONER_DOCKER_NETWORK: 'runners',
      SHIPFOX_PROVISIONER_DOCKER_EXTRA_HOSTS: 'api:host-gateway,db:10.0.0.2,six:::1',
      SHIPFOX_PROVISIONER_DOCKER_LOG_DRIVER: 'json-file',
      SHIPFOX_PROVISIONER_DOCKER_LOG_OPTIONS: '{"max-size":"10m"}',
      SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS: '0',
      SHIPFOX_PROVISIONER_POLL_INTERVAL_MS: '200',
      SHIPFOX_PROVISIONER_POLL_MAX_INTERVAL_MS: '200',
      SHIPFOX_PROVISIONER_CONVERGE_INTERVAL_MS: '500',
      SHIPFOX_PROVISIONER_MAX_RESERVATIONS: '0',
      SHIPFOX_PROVISIONER_REGISTRATION_TOKEN_BATCH_SIZE: '1000',
      SHIPFOX_PROVISIONER_RUNNER_INSTANCE_BATCH_SIZE: '1',
      SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS: '60000',
      SHIPFOX_PROVISIONER_DOCKER_FAILED_CONTAINER_RETENTION_MS: '0',
      SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS: '0',
      SHIPFOX_RUNNER_POLL_MAX_DURATION_MS: '0',
      SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS: '7200',
    })
    expect(warnings).toEqual([])
    expect(settings).toMatchObject({
      source: { kind: 'shipfox', apiUrl: 'https://api.example', protocol: 'auto' },
      templatesFile: 'templates.yaml',
      runnerApiUrl: 'http://host.docker.internal:3000',
      pollWaitSeconds: 0,
      pollIntervalMs: 200,
      pollMaxIntervalMs: 200,
      convergeIntervalMs: 500,
      maxReservations: 0,
      mintBatchMax: { v1: 1000, v2: 1 },
      registrationDeadlineMs: 60_000,
      runnerPollMaxDurationMs: 0,
      runnerMaxLifetimeSeconds: 7200,
      docker: {
        host: 'tcp://10.0.0.1:2376',
        network: 'runners',
        extraHosts: ['api:host-gateway', 'db:10.0.0.2', 'six:::1'],
        logDriver: 'json-file',
        failedRetentionMs: 0,
        maxRetainedFailed: 0,
      },
    })
    expect(settings.source.kind === 'shipfox' && settings.source.token.reveal()).toBe(TOKEN)
    expect(settings.docker.logOptions?.['max-size']?.reveal()).toBe('10m')
  })

  it('take the variables of Slipway', () => {
    expect(
      settingsOf({
        SLIPWAY_STATE_DIR: '/var/lib/slipway',
        SLIPWAY_HOST_NAME: 'build-1',
        SLIPWAY_HOST_CPUS: '3.5',
        SLIPWAY_HOST_MEMORY: '4GiB',
        SLIPWAY_HOST_MAX_RUNNERS: '500',
        SLIPWAY_ENGINE: 'process',
        SLIPWAY_HUB_PORT: '0',
        SLIPWAY_LOG: 'json',
        SLIPWAY_LOCAL_AGENT_TOKEN: 'local-agent-token-1',
      }),
    ).toMatchObject({
      stateDir: '/var/lib/slipway',
      host: { name: 'build-1', cpuMillis: 3500, memoryMib: 4096, maxRunners: 500 },
      engine: 'process',
      hubPort: 0,
      log: 'json',
    })
  })

  it('count an empty value as unset, and take no notice of spaces around one', () => {
    const names = SETTINGS_HELP.map(({ name }) => name)
    expect(parseSettings(Object.fromEntries(names.map((name) => [name, ' '])))).toEqual(parseSettings({}))
    expect(settingsOf({ SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS: ' 5\n' }).pollWaitSeconds).toBe(5)
  })

  it('S11: need a token and a templates file with an API URL, and say so together', () => {
    expect(issuesIn({ SHIPFOX_API_URL: 'https://api.example' }).map(({ path }) => path)).toEqual([
      'SHIPFOX_PROVISIONER_TOKEN',
      'SHIPFOX_PROVISIONER_TEMPLATES_FILE',
    ])
  })

  it.each([
    ['sf_mrt_', /registration token for runners that are started by hand \(sf_mrt_…\)/],
    ['sf_ert_', /ephemeral registration token.*\(sf_ert_…\)/],
    ['sf_rbt_', /bootstrap token.*\(sf_rbt_…\)/],
    ['sf_rcs_', /control session token.*\(sf_rcs_…\)/],
    ['sf_rat_', /activation token.*\(sf_rat_…\)/],
    ['sf_new_', /is not a provisioner token/],
    ['ghp_', /is not a provisioner token/],
    ['Bearer sf_pt_', /is not a provisioner token/],
    ['sf_pt_-', /is a damaged provisioner token/],
  ])('S11: refuse a token that starts with %s by its kind, and never show it', (prefix, message) => {
    const error = configErrorOf(() =>
      parseSettings({ ...SHIPFOX, SHIPFOX_PROVISIONER_TOKEN: prefix + CHARACTERS }),
    )
    expect(error.issues).toHaveLength(1)
    expect(error.message).toMatch(message)
    expect(inspect(error)).not.toContain(CHARACTERS.slice(0, 8))
  })

  it.each(['', 'x', CHARACTERS.slice(1), `${CHARACTERS}=`, `${CHARACTERS.slice(2)}+/`])(
    'refuse sf_pt_%s as damaged',
    (rest) => {
      expect(issuesIn({ ...SHIPFOX, SHIPFOX_PROVISIONER_TOKEN: `sf_pt_${rest}` })[0]?.message).toMatch(
        /damaged/,
      )
    },
  )

  it.each([
    ['https://api.example', 'https://api.example'],
    ['https://api.example/', 'https://api.example'],
    ['HTTPS://API.example:443/prefix/', 'https://api.example/prefix'],
    ['http://localhost:3000/a/b//', 'http://localhost:3000/a/b'],
    ['https://[::1]:8443/x', 'https://[::1]:8443/x'],
  ])('make the base URL %s to %s', (given, used) => {
    expect(settingsOf({ ...SHIPFOX, SHIPFOX_API_URL: given }).source).toMatchObject({ apiUrl: used })
    expect(settingsOf({ ...SHIPFOX, SHIPFOX_API_URL: given }).runnerApiUrl).toBe(used)
  })

  it.each([
    'api.example',
    'localhost:3000',
    'ftp://api.example',
    'https://',
    '/api',
    'https://a?x=1',
    'https://a#x',
    'https://canary@a',
    'https://u:canary@a',
  ])('refuse the base URL %s without showing it', (url) => {
    const error = configErrorOf(() =>
      parseSettings({ ...SHIPFOX, SHIPFOX_API_URL: url, SHIPFOX_RUNNER_API_URL: url }),
    )
    expect(error.issues.map(({ path }) => path)).toEqual(['SHIPFOX_API_URL', 'SHIPFOX_RUNNER_API_URL'])
    expect(inspect(error)).not.toContain('canary')
  })

  it('warn of a token without an API URL, and of one that travels unencrypted', () => {
    expect(parseSettings({ SHIPFOX_PROVISIONER_TOKEN: TOKEN }).warnings).toEqual([
      expect.stringMatching(/sandbox/),
    ])
    const warnings = (url: string) => parseSettings({ ...SHIPFOX, SHIPFOX_API_URL: url }).warnings
    expect(warnings('http://api.example')).toEqual([expect.stringMatching(/unencrypted/)])
    expect(warnings('http://localhost.evil.example')).toHaveLength(1)
    for (const url of [
      'http://localhost:3000/x',
      'http://127.0.0.1',
      'http://[::1]:1',
      'https://api.example',
    ]) {
      expect(warnings(url)).toEqual([])
    }
  })

  const INTEGERS: readonly [string, number, number][] = [
    ['SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS', 0, 3600],
    ['SHIPFOX_PROVISIONER_CONVERGE_INTERVAL_MS', 10, 3_600_000],
    ['SHIPFOX_PROVISIONER_POLL_MAX_INTERVAL_MS', 1000, 3_600_000],
    ['SHIPFOX_PROVISIONER_MAX_RESERVATIONS', 0, 1000],
    ['SHIPFOX_PROVISIONER_REGISTRATION_TOKEN_BATCH_SIZE', 1, 1000],
    ['SHIPFOX_PROVISIONER_RUNNER_INSTANCE_BATCH_SIZE', 1, 1000],
    ['SHIPFOX_PROVISIONER_REGISTRATION_DEADLINE_MS', 1000, 2_147_483_647],
    ['SHIPFOX_PROVISIONER_DOCKER_FAILED_CONTAINER_RETENTION_MS', 0, 2_147_483_647],
    ['SHIPFOX_PROVISIONER_DOCKER_MAX_RETAINED_FAILED_CONTAINERS', 0, 1000],
    ['SHIPFOX_RUNNER_POLL_MAX_DURATION_MS', 0, 2_147_483_647],
    ['SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS', 1, 2_147_483],
    ['SLIPWAY_HOST_MAX_RUNNERS', 1, 500],
    ['SLIPWAY_HUB_PORT', 0, 65_535],
  ]
  it.each(INTEGERS)('take %s from %i to %i', (name, min, max) => {
    for (const good of [min, max]) expect(() => parseSettings({ [name]: String(good) })).not.toThrow()
    for (const bad of [
      String(min - 1),
      String(max + 1),
      '1.5',
      '30s',
      '1e3',
      '0x10',
      'NaN',
      'many',
      '1_000',
      '5000 ms',
    ]) {
      const [issue] = issuesIn({ [name]: bad })
      expect(issue).toMatchObject({ file: 'environment', line: null, path: name })
      expect(issue?.message).toContain(bad)
    }
  })

  it('name the range of an integer', () => {
    const error = configErrorOf(() => parseSettings({ SHIPFOX_PROVISIONER_MAX_RESERVATIONS: '30s' }))
    expect(error.message).toBe(
      'environment SHIPFOX_PROVISIONER_MAX_RESERVATIONS: "30s" is not a whole number; expected a whole number from 0 to 1000',
    )
  })

  it('need a ceiling that is not below the interval, also when only one of them is set', () => {
    const max = 'SHIPFOX_PROVISIONER_POLL_MAX_INTERVAL_MS'
    const interval = 'SHIPFOX_PROVISIONER_POLL_INTERVAL_MS'
    expect(issuesIn({ [interval]: '9000' })).toMatchObject([{ path: interval }])
    expect(issuesIn({ [max]: '999' })).toMatchObject([{ path: max }])
    expect(issuesIn({ [max]: '10', [interval]: '11' })).toMatchObject([{ path: max }])
  })

  it('name the folder of certificates only where TLS is asked for', () => {
    const folder = (env: Record<string, string>) => parseSettings(env).settings.docker.tlsFolder
    expect(folder({ DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' })).toBe('/certs')
    expect(folder({ DOCKER_CERT_PATH: '/certs' })).toBeNull()
  })

  it('prefer their own address of the engine to DOCKER_HOST', () => {
    const [own, foreign] = ['SHIPFOX_PROVISIONER_DOCKER_HOST', 'DOCKER_HOST']
    expect(settingsOf({ [foreign]: 'ssh://me@build-1' }).docker.host).toBe('ssh://me@build-1')
    expect(settingsOf({ [foreign]: 'fd://', [own]: 'unix:///run/d.sock' }).docker.host).toBe(
      'unix:///run/d.sock',
    )
    for (const bad of ['/var/run/docker.sock', 'unix://', 'tcp://', 'fd://', 'http//x', 'ssh://u:canary@h']) {
      expect(issuesIn({ [foreign]: bad })).toMatchObject([{ path: foreign }])
      expect(JSON.stringify(issuesIn({ [own]: bad }))).not.toContain('canary')
    }
  })

  it.each<[string, readonly string[]]>([
    ['a:1.2.3.4', ['a:1.2.3.4']],
    ['a:host-gateway, b:fe80::1 ', ['a:host-gateway', 'b:fe80::1']],
    ['a.b-c:[2001:db8::1]', ['a.b-c:2001:db8::1']],
  ])('take the extra hosts %s', (text, hosts) => {
    expect(settingsOf({ SHIPFOX_PROVISIONER_DOCKER_EXTRA_HOSTS: text }).docker.extraHosts).toEqual(hosts)
  })

  it.each([
    'a',
    'a:',
    ':1.2.3.4',
    'a:1.2.3',
    'a:name',
    'a:1.2.3.4,',
    'a:1.2.3.256',
    'a:1.2.3.4:80',
    '-a:1.2.3.4',
    'a b:1.2.3.4',
    'a:gggg::1',
  ])('refuse the extra hosts %s', (text) => {
    expect(issuesIn({ SHIPFOX_PROVISIONER_DOCKER_EXTRA_HOSTS: text })).toHaveLength(1)
  })

  it('take log options only as an object of texts beside a driver, and never show their values', () => {
    const [driver, options] = [
      'SHIPFOX_PROVISIONER_DOCKER_LOG_DRIVER',
      'SHIPFOX_PROVISIONER_DOCKER_LOG_OPTIONS',
    ]
    for (const bad of ['{"a":1,"b":"canary"}', '["canary"]', '"canary"', '{"a":"canary"', 'canary', 'null']) {
      const error = configErrorOf(() => parseSettings({ [driver]: 'splunk', [options]: bad }))
      expect(error.issues).toMatchObject([{ path: options }])
      expect(inspect(error)).not.toContain('canary')
    }
    expect(issuesIn({ [options]: '{"a":"b"}' })).toMatchObject([
      { path: options, message: 'is set without a log driver' },
    ])
    const { settings } = parseSettings({ [driver]: 'splunk', [options]: '{"splunk-token":"canary"}' })
    expect(inspect(settings, { depth: 9 }) + JSON.stringify(settings)).not.toContain('canary')
  })

  it.each<[string, readonly string[]]>([
    ['SHIPFOX_PROVISIONER_DOCKER_NETWORK', ['host', 'container:abc', 'a b', '-x']],
    ['SHIPFOX_PROVISIONER_DOCKER_LOG_DRIVER', ['-x', 'a b']],
    ['SHIPFOX_PROTOCOL', ['v3', 'V1', '1']],
    ['SLIPWAY_ENGINE', ['podman', 'Docker']],
    ['SLIPWAY_LOG', ['yaml']],
    ['SLIPWAY_HOST_NAME', ['Build', '-a', 'a.b', 'a'.repeat(64)]],
    ['SLIPWAY_HOST_CPUS', ['0', '1.2345', 'two', '1e2', '-1', '0x2']],
    ['SLIPWAY_HOST_MEMORY', ['4', '1m', 'lots', '-4GiB']],
    ['SLIPWAY_LOCAL_AGENT_TOKEN', ['short', 'with spaces in its middle', 'ünïcödé-ünïcödé-ünïcödé']],
  ])('refuse wrong values of %s', (name, values) => {
    for (const value of values) expect(issuesIn({ [name]: value })).toMatchObject([{ path: name }])
  })

  it('tell all issues at once', () => {
    const issues = issuesIn({
      SHIPFOX_API_URL: 'nowhere',
      SHIPFOX_PROVISIONER_TOKEN: 'sf_mrt_x',
      SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS: '30s',
      SLIPWAY_ENGINE: 'podman',
    })
    expect(issues.map(({ path }) => path)).toEqual([
      'SHIPFOX_API_URL',
      'SHIPFOX_PROVISIONER_TOKEN',
      'SHIPFOX_PROVISIONER_TEMPLATES_FILE',
      'SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS',
      'SLIPWAY_ENGINE',
    ])
  })

  it('warn of unknown names that look like ours, with the nearest known one and without the value', () => {
    const { warnings } = parseSettings({
      SHIPFOX_PROVISIONER_POLL_WAIT_SECS: 'canary',
      SHIPFOX_RUNNER_MAX_LIFETIME: 'canary',
      SLIPWAY_STATEDIR: 'canary',
      SHIPFOX_PROVISIONER_EMPTY: '',
      SHIPFOX_SOMETHING: 'canary',
      PATH: 'canary',
      SLIPWAY_HUB_URL: 'wss://hub.example',
    })
    expect(warnings).toEqual([
      expect.stringMatching(
        /^SHIPFOX_PROVISIONER_POLL_WAIT_SECS .*mean SHIPFOX_PROVISIONER_POLL_WAIT_SECONDS\?/,
      ),
      expect.stringMatching(/^SHIPFOX_RUNNER_MAX_LIFETIME .*mean SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS\?/),
      expect.stringMatching(/^SLIPWAY_STATEDIR .*mean SLIPWAY_STATE_DIR\?/),
    ])
    expect(warnings.join()).not.toContain('canary')
  })

  it('never show a token, wherever it was put, and end in settings or a ConfigError', () => {
    const names = SETTINGS_HELP.map(({ name }) => name)
    const value = fc.oneof(
      fc.constantFrom(
        TOKEN,
        ` ${TOKEN}x`,
        `https://${TOKEN}@h`,
        `sf_ert_${CHARACTERS}`,
        'https://h',
        '1',
        '0',
        'x:1.2.3.4',
      ),
      fc.string({ maxLength: 20 }),
      fc.string({ maxLength: 5 }).map((text) => text + TOKEN),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (env) => {
        for (const parse of [parseSettings, parseAgentSettings]) {
          let said = ''
          const error = thrownBy(() => {
            said = parse(env).warnings.join()
          })
          expect(error === null || error instanceof ConfigError).toBe(true)
          expect(said + inspect(error)).not.toContain(CHARACTERS.slice(0, 12))
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the settings of an agent', () => {
  const AGENT = {
    SLIPWAY_HUB_URL: 'https://hub.example/prod/',
    SLIPWAY_AGENT_TOKEN: 'agent-token-0123456789',
  }

  it('are only what it needs', () => {
    const { settings } = parseAgentSettings({ ...AGENT, SHIPFOX_API_URL: 'nonsense', SLIPWAY_HUB_PORT: 'x' })
    expect(settings).toMatchObject({
      hubUrl: 'wss://hub.example/prod',
      engine: null,
      host: { name: 'local' },
    })
    expect(settings.agentToken.reveal()).toBe('agent-token-0123456789')
  })

  it('need the hub and the token', () => {
    const { issues } = configErrorOf(() => parseAgentSettings({}))
    expect(issues.map(({ path }) => path)).toEqual(['SLIPWAY_HUB_URL', 'SLIPWAY_AGENT_TOKEN'])
  })

  it.each([
    ['ws://127.0.0.1:8420', 'ws://127.0.0.1:8420'],
    ['http://127.0.0.1:8420/', 'ws://127.0.0.1:8420'],
    ['wss://hub.example/prod', 'wss://hub.example/prod'],
  ])('dial %s as %s', (given, used) => {
    expect(parseAgentSettings({ ...AGENT, SLIPWAY_HUB_URL: given }).settings.hubUrl).toBe(used)
  })

  it('refuse a token of Shipfox, unshown', () => {
    const error = configErrorOf(() => parseAgentSettings({ ...AGENT, SLIPWAY_AGENT_TOKEN: TOKEN }))
    expect(error.issues).toMatchObject([{ path: 'SLIPWAY_AGENT_TOKEN', message: 'is a token of Shipfox' }])
    expect(error.message).not.toContain(CHARACTERS)
  })
})

describe('the help on settings', () => {
  it('has each variable once, with its default and its meaning', () => {
    const names = SETTINGS_HELP.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, default: fallback, meaning } of SETTINGS_HELP) {
      expect(name).toMatch(/^(?:SHIPFOX|SLIPWAY)_[A-Z_]+$|^DOCKER_(?:HOST|TLS_VERIFY|CERT_PATH)$/)
      expect(fallback).not.toBe('')
      expect(meaning).toMatch(/\.$/)
    }
  })
})
