import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import {
  type EndCode,
  epoch,
  type HostId,
  hostId,
  levelOf,
  type LogEventName,
  type LogEventOf,
  type RunnerId,
} from '../../../core/model/index.ts'
import { EventRecorder } from '../../support/event-recorder.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
/** Files that say what they do with each event. */
const CONSUMERS = ['adapters/cloudwatch/measures.ts', 'cli/start/format.ts', 'cli/start/run-summary.ts']
/** Of what Node brings, they know no more than browsers have too: that compiles in less time than Node's own types. */
const SETTINGS = {
  extends: './tsconfig.all.json',
  compilerOptions: { lib: ['ES2024', 'DOM'], types: [] },
  include: [],
  files: CONSUMERS,
}

describe('an event', () => {
  it('has one level and fields of its own types, by its name', () => {
    expect(levelOf('runner.gone')).toBe('info')
    expect(levelOf('host.offline')).toBe('warn')
    expect(levelOf('host.dead')).toBe('error')
    expectTypeOf<LogEventOf<'host.offline'>['host']>().toEqualTypeOf<HostId>()
    expectTypeOf<LogEventOf<'runner.gone'>['runner']>().toEqualTypeOf<RunnerId>()
    expectTypeOf<LogEventOf<'runner.gone'>['code']>().toEqualTypeOf<EndCode>()
    expectTypeOf<'host.lost'>().not.toExtend<LogEventName>()
    expectTypeOf<{ name: 'host.offline' }>().not.toExtend<LogEventOf<'host.offline'>>()
  })

  it('comes out of a recorder with the fields of its name', () => {
    const recorder = new EventRecorder()
    recorder.emit({ name: 'host.online', host: hostId('one'), epoch: epoch(1) })
    recorder.emit({ name: 'host.offline', host: hostId('one') })
    const [offline] = recorder.events('host.offline')
    expect(offline).toEqual({ name: 'host.offline', host: 'one' })
    expectTypeOf(offline?.host).toEqualTypeOf<HostId | undefined>()
  })
})

describe('the consumers of events', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-events-'))
    for (const path of ['core', 'adapters/cloudwatch', 'sandbox/types.ts', ...CONSUMERS])
      await cp(join(REPOSITORY, path), join(folder, path), { recursive: true })
    // The consumers need the sandbox's types alone, and not its server.
    await writeFile(join(folder, 'sandbox/index.ts'), "export type * from './types.ts'\n")
    await cp(join(REPOSITORY, 'package.json'), join(folder, 'package.json'))
    await cp(join(REPOSITORY, 'tsconfig.json'), join(folder, 'tsconfig.all.json'))
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(SETTINGS))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('compile as they are', async () => {
    expect(await compile(folder)).toEqual([])
  })

  it.each([
    ['renamed', "'source.back': info", "'source.answers': info"],
    ['added', "'source.back': info", "'source.paused': info(),\n  'source.back': info"],
  ])('do not compile, none of them, once an event is %s', async (_what, before, after) => {
    const path = join(folder, 'core/model/events/fleet.ts')
    const text = await readFile(path, 'utf8')
    expect(text).toContain(before)
    await writeFile(path, text.replace(before, after))
    try {
      expect((await compile(folder)).toSorted()).toEqual(CONSUMERS)
    } finally {
      await writeFile(path, text)
    }
  })
})

/** The files in which the compiler finds errors. */
async function compile(folder: string): Promise<readonly string[]> {
  const compiler = join(REPOSITORY, 'node_modules/typescript/bin/tsc')
  const output = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [compiler, '--noEmit', '--pretty', 'false'],
      { cwd: folder },
      (_error, stdout) => resolve(stdout),
    )
  })
  return [...new Set([...output.matchAll(/^(\S+?)\(\d+,\d+\): error /gm)].map(([, file = '']) => file))]
}
