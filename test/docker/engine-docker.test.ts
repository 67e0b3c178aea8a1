import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '../../agent/engines/engine.ts'
import { createDockerEngine, type DockerEngineOptions } from '../../agent/engines/docker/index.ts'
import { hostId } from '../../core/model/index.ts'
import {
  describeEngine,
  failureKinds,
  failureOf,
  follow,
  newId,
  reach,
  realClock,
  specFor,
} from '../contract/engine.ts'
import { openEngineProxy, type EngineProxy } from '../support/engine-proxy.ts'
import { ensureTestImage, TEST_LABEL } from '../support/test-image.ts'
import { openTestRegistry, type TestRegistry } from '../support/test-registry.ts'
import { EventRecorder, SILENT_LOG } from '../support/event-recorder.ts'

const docker = new Docker()
const TAKES_CONTAINERS = { timeout: 60_000 }

function newInstall(): string {
  return `test-${randomBytes(6).toString('hex')}`
}

function openEngine(install: string, more: Partial<DockerEngineOptions> = {}): Engine {
  return createDockerEngine({
    dockerHost: null,
    install,
    host: hostId('host-a'),
    network: null,
    extraHosts: [],
    logDriver: null,
    logOptions: {},
    clock: realClock,
    log: SILENT_LOG,
    ...more,
  })
}

/** Removes whatever carries the labels of these installations, by the engine's own means. */
async function clear(installs: readonly string[]): Promise<void> {
  for (const install of installs) {
    const filters = { label: [`slipway.install=${install}`] }
    for (const { Id } of await docker.listContainers({ all: true, filters })) {
      await docker.getContainer(Id).remove({ force: true, v: true })
    }
  }
}

async function inspectRaw(runner: string): Promise<Docker.ContainerInspectInfo> {
  return docker.getContainer(`slipway-${runner}`).inspect()
}

describeEngine('docker', async () => {
  const image = await ensureTestImage(docker)
  const [ours, theirs] = [newInstall(), newInstall()]
  return {
    engine: openEngine(ours),
    stranger: openEngine(theirs),
    restarted: () => openEngine(ours),
    image,
    traces: async (runner) => {
      const { Config, Name } = await inspectRaw(runner)
      return JSON.stringify({ Name, labels: Config.Labels, command: [Config.Entrypoint, Config.Cmd] })
    },
    close: () => clear([ours, theirs]),
  }
})

describe('docker engine', () => {
  const install = newInstall()
  const engine = openEngine(install)
  let image = ''
  const spec: typeof specFor = (_, script, more) => specFor(image, script, more)

  beforeAll(async () => {
    image = await ensureTestImage(docker)
  })
  afterAll(() => clear([install]))

  it('K15: tells of a runner that was killed for its memory', TAKES_CONTAINERS, async () => {
    const seen = await follow(engine)
    const made = spec(image, 'tail /dev/zero')
    await engine.create(made)
    await engine.start(made.runner)
    const ended = await reach(engine, made.runner, 'exited')
    expect(ended).toMatchObject({ oomKilled: true, exitCode: 137 })
    expect((await engine.list()).find(({ runner }) => runner === made.runner)).toEqual(ended)
    await expect.poll(() => seen.events.map(({ kind }) => kind)).toContain('oom')
    await seen.stop()
  })

  it('X10: a container has neither privileges nor anything of the host', TAKES_CONTAINERS, async () => {
    const script = `cat /proc/self/status | while read -r line; do case $line in Cap*|NoNewPrivs*) echo "$line";; esac; done
      echo pid $$; cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max`
    const made = spec(image, script)
    await engine.create(made)
    await engine.start(made.runner)
    await reach(engine, made.runner, 'exited')
    const log = await engine.logTail(made.runner, 10_000)
    expect(log).toMatch(/NoNewPrivs:\s+1/)
    // Docker's default set without MKNOD (27) and NET_RAW (13).
    expect(log).toMatch(/CapEff:\s+00000000a00405fb/)
    expect(log).toMatch(/CapBnd:\s+00000000a00405fb/)
    expect(log).toMatch(/^4096$/m)
    const { HostConfig, Mounts, NetworkSettings } = await inspectRaw(made.runner)
    expect(Mounts).toEqual([])
    expect(HostConfig).toMatchObject({ Privileged: false, PidMode: '', UTSMode: '', IpcMode: 'private' })
    expect(HostConfig).toMatchObject({ NanoCpus: 500_000_000, Memory: 67_108_864, MemorySwap: 67_108_864 })
    expect(HostConfig.LogConfig?.Config).toEqual({ 'max-size': '10m', 'max-file': '2' })
    expect(Object.keys(NetworkSettings.Networks)).toEqual(['bridge'])
  })

  it('hands on networks, names of hosts and log settings of the owner', TAKES_CONTAINERS, async () => {
    const labels = { [TEST_LABEL]: 'network' }
    const network = await docker.createNetwork({ Name: `slipway-${install}`, Labels: labels })
    try {
      const own = openEngine(install, {
        network: `slipway-${install}`,
        extraHosts: ['cache.internal:10.0.0.9', 'host.internal:host-gateway'],
        logDriver: 'json-file',
        logOptions: { 'max-size': '1m' },
      })
      const made = spec(image, 'cat /etc/hosts')
      await own.create(made)
      await own.start(made.runner)
      await reach(own, made.runner, 'exited')
      expect(await own.logTail(made.runner, 4_000)).toMatch(/10\.0\.0\.9\s+cache\.internal/)
      const raw = await inspectRaw(made.runner)
      expect(raw.HostConfig.LogConfig?.Config).toEqual({ 'max-size': '1m', 'max-file': '2' })
      expect(Object.keys(raw.NetworkSettings.Networks)).toEqual([`slipway-${install}`])
      await own.remove(made.runner)
    } finally {
      await network.remove()
    }
  })

  it('refuses for good what can never be created, and says why', TAKES_CONTAINERS, async () => {
    const huge = spec(image, 'exit 0')
    const cases = [
      [{ ...huge, origin: { ...huge.origin, cpuMillis: 1_000_000 } }, 'refused', /CPUs/],
      [{ ...huge, image: 'Not A Reference' }, 'refused', /reference/],
      [{ ...huge, isolation: 'sysbox' as const }, 'refused', /runtime/i],
      [{ ...huge, image: 'slipway-test:no-such-tag' }, 'not-found', /no such image/i],
    ] as const
    for (const [made, kind, message] of cases) {
      const failure = await failureOf(engine.create(made))
      expect(failure).toMatchObject({ kind, message: expect.stringMatching(message) })
    }
    expect(await engine.inspect(huge.runner)).toBeNull()
  })

  it('a network that is missing at the start is no missing container', TAKES_CONTAINERS, async () => {
    const name = `slipway-${install}-short`
    const network = await docker.createNetwork({ Name: name, Labels: { [TEST_LABEL]: 'network' } })
    const own = openEngine(install, { network: name })
    const made = spec(image, 'exit 0')
    await own.create(made)
    await network.remove()
    expect(await failureOf(own.start(made.runner))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(name),
    })
    expect((await own.inspect(made.runner))?.state).toBe('created')
    await own.remove(made.runner)
  })

  it('tells what an examination may tell, and not the environment', async () => {
    const made = spec(image, 'exit 0', { env: { SCRIPT: 'exit 0', PLAIN: 'plain-value' } })
    await engine.create(made)
    const examined = await engine.examine(made.runner)
    expect(examined).toMatchObject({ State: { Status: 'created' }, HostConfig: { PidsLimit: 4096 } })
    expect(JSON.stringify(examined)).not.toContain('plain-value')
    expect(JSON.stringify(examined)).not.toContain('Env')
  })

  it('knows which images are there', async () => {
    expect(await engine.image('slipway-test:no-such-tag')).toBeNull()
    const found = await engine.image(image)
    expect(found?.id).toMatch(/^sha256:/)
    expect(found?.pulledAt).toBeLessThanOrEqual(Date.now())
  })

  it('removes anonymous volumes along with their container', TAKES_CONTAINERS, async () => {
    const withVolume = await docker.createContainer({ Image: image, Labels: { [TEST_LABEL]: 'base' } })
    const repo = 'slipway-test-volume'
    await withVolume.commit({ repo, tag: install, changes: 'VOLUME /data' })
    await withVolume.remove()
    const made = spec(image, 'echo x > /data/x', { image: `${repo}:${install}` })
    try {
      await engine.create(made)
      await engine.start(made.runner)
      await reach(engine, made.runner, 'exited')
      const [volume] = (await inspectRaw(made.runner)).Mounts
      expect(volume?.Type).toBe('volume')
      await engine.remove(made.runner)
      const left = (await docker.listVolumes()).Volumes.map(({ Name }) => Name)
      expect(left).not.toContain(volume?.Name)
    } finally {
      await engine.remove(made.runner)
      await docker.getImage(`${repo}:${install}`).remove()
    }
  })

  it(
    'tells of a container of ours that it can not read, and does not give its room away',
    TAKES_CONTAINERS,
    async () => {
      const log = new EventRecorder()
      const own = openEngine(install, { log })
      const before = (await own.describe()).capacity
      const Labels = { 'slipway.install': install, 'slipway.host': 'host-a', 'slipway.runner': 'nonsense' }
      const HostConfig = { NanoCpus: 250_000_000, Memory: 67_108_864 }
      const strange = await docker.createContainer({ Image: image, Labels, HostConfig })
      await own.list()
      expect((await own.list()).map(({ runner }) => runner)).not.toContain('nonsense')
      expect(log.all).toMatchObject([{ name: 'engine.container-unreadable', container: strange.id }])
      const after = (await own.describe()).capacity
      expect(before.cpuMillis - after.cpuMillis).toBe(250)
      expect(before.memoryMib - after.memoryMib).toBe(64)
      await strange.remove()
      await own.list()
      expect((await own.describe()).capacity).toEqual(before)
    },
  )

  it('asks no more than it must about containers that it has seen', TAKES_CONTAINERS, async () => {
    const proxy = await openEngineProxy()
    try {
      const own = openEngine(install, { dockerHost: proxy.address })
      const made = [spec(image, 'sleep 60'), spec(image, 'sleep 60'), spec(image, 'exit 0')]
      for (const one of made) {
        await engine.create(one)
        await engine.start(one.runner)
      }
      await reach(engine, made[2]!.runner, 'exited')
      await own.list()
      proxy.requests.length = 0
      await own.list()
      const inspects = proxy.requests.filter((line) => /containers\/[^/]+\/json/.test(line))
      // What waits to be started may change at any time; nothing else does.
      const waiting = (await engine.list()).filter(({ state }) => state === 'created')
      expect(inspects.length).toBe(waiting.length)
      await Promise.all(made.map((one) => engine.stop(one.runner, 0)))
    } finally {
      await proxy.close()
    }
  })
})

describe('docker engine that does not answer', () => {
  const install = newInstall()
  const direct = openEngine(install)
  let image = ''
  let proxy: EngineProxy
  let engine: Engine

  beforeAll(async () => {
    image = await ensureTestImage(docker)
  })
  /** A hanging call ends by this deadline; a working one on a busy machine must not. */
  const open = async (callTimeoutMs = 5_000) => {
    proxy = await openEngineProxy()
    engine = openEngine(install, { dockerHost: proxy.address, callTimeoutMs })
    await engine.describe()
  }
  afterEach(async () => {
    await proxy?.close()
    await clear([install])
  })

  it('S7: says "unreachable" when nothing listens, whatever is asked', async () => {
    for (const dockerHost of [
      'unix:///no/such/docker.sock',
      'tcp://127.0.0.1:9',
      'ssh://nobody@127.0.0.1:9',
    ]) {
      const away = openEngine(install, { dockerHost, callTimeoutMs: 5_000 })
      const id = newId()
      const calls = [
        away.describe(),
        away.list(),
        away.create(specFor('x', 'x')),
        away.image('x'),
        away.inspect(id),
        away.start(id),
        away.stop(id, 0),
        away.remove(id),
      ]
      expect(new Set(await failureKinds(calls))).toEqual(new Set(['unreachable']))
      const watching = away.watch({ onOpen: () => {}, onEvent: () => {} }, new AbortController().signal)
      expect((await failureOf(watching)).kind).toBe('unreachable')
      expect((await failureOf(away.pull('x', new AbortController().signal))).kind).toBe('unreachable')
    }
  })

  it('K1: an engine that hangs is unreachable within the deadline of the call', async () => {
    await open()
    proxy.hangOn(/./)
    const begun = performance.now()
    const calls = [
      engine.list(),
      engine.describe(),
      engine.create(specFor(image, 'x')),
      engine.inspect(newId()),
    ]
    expect(new Set(await failureKinds(calls))).toEqual(new Set(['unreachable']))
    expect(performance.now() - begun).toBeLessThan(30_000)
  })

  it('K1: an answer that breaks off in the middle ends in time, too', async () => {
    await open()
    for (const cut of ['cut', 'stall'] as const) {
      proxy.spoil(/containers\/json/, cut)
      expect((await failureOf(engine.list())).kind).toBe('unreachable')
    }
  })

  it('K1: one container that hangs leaves the others alone', TAKES_CONTAINERS, async () => {
    await open(10_000)
    const [bad, good] = [specFor(image, 'exit 0'), specFor(image, 'exit 0')]
    await direct.create(bad)
    proxy.hangOn(new RegExp(bad.runner))
    const stuck = failureOf(engine.start(bad.runner))
    await engine.create(good)
    await engine.start(good.runner)
    await reach(engine, good.runner, 'exited')
    expect((await stuck).kind).toBe('unreachable')
  })

  it('K1: a container that the engine can say nothing of but that it is there holds its room, and hides no other', async () => {
    await open(10_000)
    const [bad, good] = [specFor(image, 'sleep 60'), specFor(image, 'sleep 60')]
    for (const spec of [bad, good]) {
      await direct.create(spec)
      await direct.start(spec.runner)
    }
    const { Id } = await inspectRaw(bad.runner)
    proxy.answer(new RegExp(`GET .*containers/${Id}/json`), 500, 'layer does not exist')
    const listed = new Map((await engine.list()).map((seen) => [seen.runner, seen.state]))
    expect([listed.get(bad.runner), listed.get(good.runner)]).toEqual(['running', 'running'])
    proxy.behave()
    const seen = (await engine.list()).find(({ runner }) => runner === bad.runner)
    expect(seen?.maxLifetimeMs).toBe(bad.maxLifetimeMs)
  })

  it('K2: a create whose answer was lost is adopted by the next try', TAKES_CONTAINERS, async () => {
    await open(10_000)
    const made = specFor(image, 'exit 0')
    proxy.loseAnswers(/POST .*containers\/create/)
    expect((await failureOf(engine.create(made))).kind).toBe('unreachable')
    proxy.behave()
    expect(await engine.create(made)).toBe('existed')
    await engine.start(made.runner)
    expect((await reach(engine, made.runner, 'exited')).exitCode).toBe(0)
  })

  it('K3: a name that is held by nothing is a conflict', async () => {
    await open()
    proxy.answer(
      /POST .*containers\/create/,
      409,
      'Conflict. The container name "/x" is already in use by container "y".',
    )
    expect((await failureOf(engine.create(specFor(image, 'x')))).kind).toBe('conflict')
  })

  it('R3: a start whose answer was lost is never sent again', TAKES_CONTAINERS, async () => {
    await open(10_000)
    const made = specFor(image, 'echo ran')
    await engine.create(made)
    proxy.loseAnswers(/POST .*\/start/)
    expect((await failureOf(engine.start(made.runner))).kind).toBe('unreachable')
    proxy.behave()
    await reach(direct, made.runner, 'exited')
    expect(await engine.start(made.runner)).toMatchObject({ state: 'exited', exitCode: 0 })
    expect(await direct.logTail(made.runner, 100)).toBe('ran\n')
  })

  it(
    'R3: a start that may still wait in the engine is not sent a second time behind it',
    TAKES_CONTAINERS,
    async () => {
      await open(1_000)
      const made = specFor(image, 'echo ran')
      await engine.create(made)
      proxy.hangOn(/POST .*\/start/)
      expect((await failureOf(engine.start(made.runner))).kind).toBe('unreachable')
      proxy.behave()
      proxy.requests.length = 0
      expect((await failureOf(engine.start(made.runner))).kind).toBe('unreachable')
      expect(proxy.requests.filter((line) => /\/start/.test(line))).toEqual([])
      expect((await direct.start(made.runner)).startedAt).not.toBeNull()
      await reach(direct, made.runner, 'exited')
      expect((await engine.start(made.runner)).state).toBe('exited')
    },
  )

  it('a start that surely failed may be tried again', TAKES_CONTAINERS, async () => {
    await open(10_000)
    const made = specFor(image, 'exit 0')
    await engine.create(made)
    proxy.answer(/POST .*\/start/, 500, 'driver failed programming external connectivity')
    expect((await failureOf(engine.start(made.runner))).kind).toBe('refused')
    proxy.behave()
    await engine.start(made.runner)
    await reach(engine, made.runner, 'exited')
  })

  it('K6: a stream of events that ends resolves, one that breaks throws, and either can be opened again', async () => {
    await open()
    for (const [cut, outcome] of [
      ['end', 'resolved'],
      ['cut', 'unreachable'],
    ] as const) {
      const opened = Promise.withResolvers<void>()
      const handlers = { onOpen: opened.resolve, onEvent: () => {} }
      const watching = engine.watch(handlers, new AbortController().signal).then(
        () => 'resolved',
        (thrown: { kind: string }) => thrown.kind,
      )
      await opened.promise
      proxy.drop(cut)
      expect(await watching).toBe(outcome)
    }
    await (await follow(engine)).stop()
  })

  it('K13: an engine that is too old is refused with the reason; a newer one is met in a version that it accepts', async () => {
    await open()
    const version = (ApiVersion: string, MinAPIVersion: string) =>
      proxy.answer(/GET .*\/version/, 200, { ApiVersion, MinAPIVersion })
    version('1.39', '1.12')
    expect(await failureOf(engine.describe())).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('1.39'),
    })
    version('1.41', '1.12')
    await engine.describe()
    expect(proxy.requests.at(-1)).toContain('GET /v1.41/info')
  })
})

describe('docker engine through ssh', () => {
  const path = process.env['PATH']
  let folder = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-ssh-'))
    process.env['PATH'] = `${folder}:${path}`
  })
  afterAll(async () => {
    process.env['PATH'] = path
    await rm(folder, { recursive: true })
  })
  const standInForSsh = (script: string) =>
    writeFile(join(folder, 'ssh'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const open = (install: string) => openEngine(install, { dockerHost: 'ssh://ci@build-1:2222' })

  it('works like at home, by what ssh connects it to', TAKES_CONTAINERS, async () => {
    const relay = `const s = require('net').connect('/var/run/docker.sock'); process.stdin.pipe(s).pipe(process.stdout)`
    await standInForSsh(`echo "$@" > ${folder}/asked; exec ${process.execPath} -e "${relay}"`)
    const install = newInstall()
    const engine = open(install)
    const made = specFor(await ensureTestImage(docker), 'echo there')
    try {
      const seen = await follow(engine)
      await engine.create(made)
      await engine.start(made.runner)
      expect((await reach(engine, made.runner, 'exited')).exitCode).toBe(0)
      expect(await engine.logTail(made.runner, 100)).toBe('there\n')
      await expect.poll(() => seen.events.map(({ kind }) => kind)).toContain('exited')
      await seen.stop()
      expect((await engine.describe()).bootId).toMatch(/^engine:/)
      const asked = await readFile(join(folder, 'asked'), 'utf8')
      expect(asked).toContain('-l ci -p 2222 -- build-1 docker system dial-stdio')
    } finally {
      await clear([install])
    }
  })

  it('hands on what ssh says when it fails', async () => {
    await standInForSsh('echo "Host key verification failed." >&2; exit 255')
    const failure = await failureOf(open(newInstall()).list())
    expect(failure).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('Host key verification failed'),
    })
  })
})

describe('docker engine and registries', () => {
  const install = newInstall()
  const engine = openEngine(install)
  const never = new AbortController().signal
  let registry: TestRegistry

  beforeAll(async () => {
    registry = await openTestRegistry()
  })
  afterAll(async () => {
    await registry.close()
    const filters = { label: [`${TEST_LABEL}=pulled`] }
    for (const { Id } of await docker.listImages({ filters }))
      await docker.getImage(Id).remove({ force: true })
    await clear([install])
  })

  it('pulls by tag and by digest, and knows when', TAKES_CONTAINERS, async () => {
    for (const image of [`${registry.host}/good:one`, `${registry.host}/good@${registry.digest}`]) {
      expect(await engine.image(image)).toBeNull()
      await engine.pull(image, never)
      const found = await engine.image(image)
      expect(Math.abs((found?.pulledAt ?? 0) - Date.now())).toBeLessThan(60_000)
      await docker.getImage(image).remove({ force: true })
    }
    await engine.pull(`${registry.host}/good`, never)
    expect(registry.requests.filter((path) => path.includes('/manifests/latest'))).not.toEqual([])
  })

  it('K12: tells a missing image, a refusal and a registry in trouble apart', TAKES_CONTAINERS, async () => {
    const kinds: Record<string, string> = {}
    for (const name of ['missing', 'denied', 'limited', 'broken']) {
      kinds[name] = (await failureOf(engine.pull(`${registry.host}/${name}:one`, never))).kind
    }
    kinds['away'] = (await failureOf(engine.pull('127.0.0.1:9/any:one', never))).kind
    kinds['invalid'] = (await failureOf(engine.pull('Not A Reference', never))).kind
    expect(kinds).toEqual({
      missing: 'not-found',
      denied: 'refused',
      invalid: 'refused',
      limited: 'registry-unavailable',
      broken: 'registry-unavailable',
      away: 'registry-unavailable',
    })
  })

  it('K12: a pull that is given up ends at once, and the engine answers on', TAKES_CONTAINERS, async () => {
    const over = new AbortController()
    const pulling = failureOf(engine.pull(`${registry.host}/slow:one`, over.signal))
    await expect.poll(() => registry.requests.some((path) => path.includes('/slow/'))).toBe(true)
    over.abort()
    expect((await pulling).kind).toBe('registry-unavailable')
    await engine.list()
  })
})
