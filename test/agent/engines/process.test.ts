import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Engine } from '../../../agent/engines/engine.ts'
import { BoundedLog, readBoundedLog } from '../../../agent/engines/process/bounded-log.ts'
import { createProcessEngine } from '../../../agent/engines/process/index.ts'
import { birthOf, isAlive, parseStat } from '../../../agent/engines/process/process-birth.ts'
import { toEngineRunner } from '../../../agent/engines/process/records.ts'
import { hostId, Secret } from '../../../core/model/index.ts'
import { describeEngine, failureOf, reach, realClock, specFor } from '../../contract/engine.ts'
import { EventRecorder, SILENT_LOG } from '../../support/event-recorder.ts'

const command = () => ({ file: '/bin/sh', args: ['-c', 'eval "$SCRIPT"'] })

function openEngine(dir: string, install = 'install-a', more: object = {}): Engine {
  const log = SILENT_LOG
  return createProcessEngine({
    dir,
    install,
    host: hostId('host-a'),
    command,
    clock: realClock,
    log,
    ...more,
  })
}

/** Every name and content below a folder. */
async function readAll(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = files.map((file) => readFile(join(file.parentPath, file.name), 'utf8'))
  return entries.map(({ name }) => name).join('\n') + (await Promise.all(texts)).join('\n')
}

async function endAll(engines: readonly Engine[]): Promise<void> {
  for (const engine of engines) {
    for (const { runner } of await engine.list()) {
      await engine.stop(runner, 0)
      await engine.remove(runner)
    }
  }
}

describeEngine('process', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-process-engine-'))
  const engine = openEngine(dir)
  const stranger = openEngine(dir, 'install-b')
  return {
    engine,
    stranger,
    restarted: () => openEngine(dir),
    image: 'any',
    traces: () => readAll(dir),
    close: async () => {
      await endAll([engine, stranger])
      await rm(dir, { recursive: true })
    },
  }
})

describe('process engine', () => {
  const made: { dir: string; engine: Engine }[] = []
  const open = async (more: object = {}) => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-process-engine-'))
    const engine = openEngine(dir, 'install-a', more)
    made.push({ dir, engine })
    return { dir, engine }
  }
  const startedOf = async (dir: string, runner: string) =>
    JSON.parse(await readFile(join(dir, 'runners', runner, 'started.json'), 'utf8'))

  afterAll(async () => {
    for (const { dir, engine } of made) {
      await endAll([engine])
      await rm(dir, { recursive: true })
    }
  })

  it('K17: refuses to start what an agent before it created, since the environment is gone with that agent', async () => {
    const { dir, engine } = await open()
    const spec = specFor('any', 'exit 0')
    await engine.create(spec)
    const failure = await failureOf(openEngine(dir).start(spec.runner))
    expect(failure).toMatchObject({ kind: 'refused', message: expect.stringContaining('never started') })
  })

  it('R3: a claimed start without an answer is never tried again', async () => {
    const { dir, engine } = await open()
    const spec = specFor('any', 'exit 0')
    await engine.create(spec)
    await writeFile(join(dir, 'runners', spec.runner, 'start.claim'), '')
    expect((await failureOf(engine.start(spec.runner))).kind).toBe('refused')
    expect((await engine.inspect(spec.runner))?.state).toBe('created')
  })

  it('says why a command could not be started, and may try it again', async () => {
    const files = ['/no/such/program', '/bin/sh']
    const { engine } = await open({ command: () => ({ ...command(), file: files.shift() }) })
    const spec = specFor('any', 'exit 3')
    await engine.create(spec)
    expect(await failureOf(engine.start(spec.runner))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('ENOENT'),
    })
    await engine.start(spec.runner)
    expect((await reach(engine, spec.runner, 'exited')).exitCode).toBe(3)
  })

  it('K9: a runner whose shim was killed has no known end, and stays running until it is really gone', async () => {
    const { dir, engine } = await open()
    const spec = specFor('any', 'sleep 60')
    await engine.create(spec)
    await engine.start(spec.runner)
    const { shim, runner } = await startedOf(dir, spec.runner)
    process.kill(shim.pid, 'SIGKILL')
    await expect.poll(() => isAlive(shim)).toBe(false)
    expect((await engine.inspect(spec.runner))?.state).toBe('running')
    expect((await failureOf(engine.remove(spec.runner))).kind).toBe('refused')
    await engine.stop(spec.runner, 5_000)
    expect(isAlive(runner)).toBe(false)
    expect(await engine.inspect(spec.runner)).toMatchObject({
      state: 'dead',
      exitCode: null,
      finishedAt: null,
    })
  })

  it('K22: ends what a runner left behind in its group', async () => {
    const { engine } = await open()
    const spec = specFor('any', 'sleep 61 & echo $!')
    await engine.create(spec)
    await engine.start(spec.runner)
    await reach(engine, spec.runner, 'exited')
    const pid = Number(await engine.logTail(spec.runner, 20))
    const isThere = () => {
      const left = birthOf(pid)
      return left !== null && isAlive(left)
    }
    await expect.poll(isThere).toBe(false)
  })

  it('reports an exit although a process that left the group still holds the output', async () => {
    const { engine } = await open()
    const spec = specFor('any', 'setsid sleep 8 & sleep 0.2; echo done')
    await engine.create(spec)
    await engine.start(spec.runner)
    await reach(engine, spec.runner, 'exited')
    expect(await engine.logTail(spec.runner, 20)).toBe('done\n')
  })

  it('K10: what ran before a restart of the machine has no known end, even if its process number lives', async () => {
    const { dir, engine } = await open()
    const spec = specFor('any', 'sleep 60')
    await engine.create(spec)
    await engine.start(spec.runner)
    const started = await startedOf(dir, spec.runner)
    const record = JSON.parse(await readFile(join(dir, 'runners', spec.runner, 'spec.json'), 'utf8'))
    const shown = toEngineRunner({ spec: record, started, exit: null }, 'another-boot')
    expect(shown).toMatchObject({ state: 'dead', exitCode: null })
    await engine.stop(spec.runner, 0)
  })

  it('gives a runner nothing of the agent: only its own environment', async () => {
    const { engine } = await open()
    const spec = specFor('any', 'env', { secretEnv: { TOKEN: new Secret('t') } })
    await engine.create(spec)
    await engine.start(spec.runner)
    await reach(engine, spec.runner, 'exited')
    const names = (await engine.logTail(spec.runner, 10_000)).matchAll(/^(\w+)=/gm)
    const found = new Set([...names].map((match) => match[1]))
    expect(found).toEqual(new Set(['HOME', 'PATH', 'PWD', 'SCRIPT', 'TOKEN']))
  })

  it('leaves out a runner whose record was spoiled, says so, and shows the others', async () => {
    const log = new EventRecorder()
    const { dir, engine } = await open({ log })
    const [good, bad] = [specFor('any', 'exit 0'), specFor('any', 'exit 0')]
    await engine.create(good)
    await engine.create(bad)
    const spoiled = join(dir, 'runners', bad.runner, 'spec.json')
    const intact = await readFile(spoiled)
    await writeFile(spoiled, '{"install":')
    await mkdir(join(dir, 'runners', 'lost+found'))
    expect((await engine.list()).map(({ runner }) => runner)).toEqual([good.runner])
    expect(log.names).toEqual(['engine.runner-unreadable'])
    await writeFile(spoiled, intact)
  })

  it('tells a full or forbidden disk from trouble that may pass', async () => {
    const { dir } = await open()
    const file = join(dir, 'file')
    await writeFile(file, '')
    expect((await failureOf(openEngine(file).list())).kind).toBe('refused')
  })
})

describe('process birth', () => {
  it('reads a stat line whose name holds spaces and parentheses', () => {
    const fields = ['S', ...Array.from({ length: 18 }, (_, index) => String(index)), '4711', '0']
    expect(parseStat(`12 (a) b) (c) ${fields.join(' ')}`)).toEqual({ began: '4711', zombie: false })
  })

  it('takes a later process of the same number for a stranger', () => {
    const own = birthOf(process.pid)
    if (own === null) throw new Error('this process must exist')
    expect(isAlive(own)).toBe(true)
    expect(isAlive({ ...own, began: '1' })).toBe(false)
    expect(birthOf(2 ** 22 + 1)).toBeNull()
  })
})

describe('bounded log', () => {
  it('K21: never keeps more than two files of 5 MiB, and their end can be read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-log-'))
    const path = join(dir, 'log')
    const log = new BoundedLog(path)
    for (let index = 0; index < 320; index += 1) log.write(Buffer.alloc(65_536, index % 10 === 9 ? 'x' : '.'))
    log.write(Buffer.from('the end'))
    const files = await readdir(dir)
    const sizes = await Promise.all(files.map(async (name) => (await readFile(join(dir, name))).length))
    expect(files.length).toBeLessThanOrEqual(2)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(5 * 1_048_576)
    expect(await readBoundedLog(path, 7)).toBe('the end')
    expect(Buffer.byteLength(await readBoundedLog(path, 1_000_000))).toBe(1_000_000)
    await rm(dir, { recursive: true })
  })
})
