import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunnerSpec } from '../../../agent/engines/engine.ts'
import { chooseApiVersion } from '../../../agent/engines/docker/api-version.ts'
import { parseDockerHost } from '../../../agent/engines/docker/connection.ts'
import { containerSpec, type ContainerOptions } from '../../../agent/engines/docker/container-spec.ts'
import { readContainer, stateOf } from '../../../agent/engines/docker/container-state.ts'
import { withDeadline } from '../../../agent/engines/docker/deadline.ts'
import { parseEvent } from '../../../agent/engines/docker/events.ts'
import { kindOfRefusal, surelyNotDone } from '../../../agent/engines/docker/failure.ts'
import { kindOfPullFailure, parseImage } from '../../../agent/engines/docker/images.ts'
import { isOwned, readLabels, writeLabels } from '../../../agent/engines/docker/labels.ts'
import { readLines } from '../../../agent/engines/docker/lines.ts'
import { demultiplexer } from '../../../agent/engines/docker/logs.ts'
import { sshArguments } from '../../../agent/engines/docker/ssh.ts'
import { keptFacts } from '../../../agent/engines/origin.ts'
import { Tail } from '../../../agent/engines/tail.ts'
import { hostId, Secret, sourceId, templateKey } from '../../../core/model/index.ts'
import { failureOf, newId, realClock, specFor } from '../../contract/engine.ts'

const OPTIONS: ContainerOptions = {
  install: 'install-a',
  host: hostId('host-a'),
  network: null,
  extraHosts: [],
  logDriver: null,
  logOptions: {},
  defaultLogDriver: 'json-file',
}

const text = fc.string({ unit: 'binary' })
const variableName = fc.string({ minLength: 1 }).filter((name) => !/[=\0]/.test(name))
const variableValue = text.filter((value) => !value.includes('\0'))

/** Any spec that could come out of a launch, and what could be meant badly. */
const anySpec: fc.Arbitrary<RunnerSpec> = fc.record({
  runner: fc.constant(newId()),
  origin: fc.record({
    template: text.filter((key) => key.length > 0 && key.length <= 255).map(templateKey),
    source: fc.constant(sourceId('sandbox')),
    labels: fc.array(text),
    reservation: fc.option(text),
    cpuMillis: fc.integer({ min: 1, max: 512_000 }),
    memoryMib: fc.integer({ min: 1, max: 4_194_304 }),
  }),
  image: text,
  isolation: fc.constantFrom('runc', 'sysbox'),
  env: fc.dictionary(variableName, variableValue),
  secretEnv: fc.dictionary(
    variableName,
    variableValue.map((value) => new Secret(value)),
  ),
  startDeadlineMs: fc.nat(),
  maxLifetimeMs: fc.nat(),
  stopTimeoutMs: fc.nat(),
})

const anyOptions: fc.Arbitrary<ContainerOptions> = fc.record({
  install: text,
  host: fc.constant(hostId('host-a')),
  network: fc.option(fc.oneof(text, fc.constantFrom('host', 'container:x', 'none', 'bridge', 'ci'))),
  extraHosts: fc.array(text),
  logDriver: fc.option(fc.constantFrom('json-file', 'local', 'syslog', 'none')),
  logOptions: fc.dictionary(text, text),
  defaultLogDriver: fc.constantFrom('json-file', 'journald'),
})

/** Docker's own default set. */
const DEFAULT_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
)
/** What CI jobs lean on: package managers, `su`, services on low ports, changing owners. */
const NEEDED_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETUID', 'SETGID', 'KILL', 'AUDIT_WRITE']
const MAY_BE_SET = new Set(
  'Privileged IpcMode NetworkMode ExtraHosts NanoCpus Memory MemorySwap PidsLimit SecurityOpt CapDrop Runtime Init RestartPolicy AutoRemove LogConfig'.split(
    ' ',
  ),
)

describe('container spec', () => {
  it('X5, X10: nothing in a launch or in the settings reaches the host', () => {
    fc.assert(
      fc.property(anySpec, anyOptions, (spec, options) => {
        fc.pre(options.network === null || !/^\s*(host|container:)/i.test(options.network))
        const { HostConfig = {}, ...container } = containerSpec(spec, options)
        expect(Object.keys(HostConfig).filter((key) => !MAY_BE_SET.has(key))).toEqual([])
        expect(HostConfig).toMatchObject({
          Privileged: false,
          IpcMode: 'private',
          SecurityOpt: ['no-new-privileges:true'],
          RestartPolicy: { Name: 'no' },
          AutoRemove: false,
          Init: true,
        })
        expect(HostConfig.NetworkMode).not.toMatch(/^(host|container:)/)
        expect([undefined, 'sysbox-runc']).toContain(HostConfig.Runtime)
        for (const dropped of HostConfig.CapDrop ?? []) expect(DEFAULT_CAPABILITIES).toContain(dropped)
        for (const needed of NEEDED_CAPABILITIES) expect(HostConfig.CapDrop ?? []).not.toContain(needed)
        // No command, user, mount or port of a launch's choosing either.
        const keys = 'name Image Env Labels Tty OpenStdin StopSignal StopTimeout'.split(' ')
        expect(new Set(Object.keys(container))).toEqual(new Set(keys))
        expect(container.name).toBe(`slipway-${spec.runner}`)
      }),
    )
  })

  it('K22: every container has limits of cpu, memory, swap and pids that are above zero', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const { HostConfig = {} } = containerSpec(spec, OPTIONS)
        expect(HostConfig.NanoCpus).toBe(spec.origin.cpuMillis * 1_000_000)
        expect(HostConfig.Memory).toBe(spec.origin.memoryMib * 1_048_576)
        expect(HostConfig.MemorySwap).toBe(HostConfig.Memory)
        expect(HostConfig.PidsLimit).toBeGreaterThan(0)
        expect(Number.isSafeInteger(HostConfig.Memory)).toBe(true)
      }),
    )
    const spec = specFor('x', 'x')
    for (const none of [{ cpuMillis: 0 }, { memoryMib: 0 }, { memoryMib: -1 }]) {
      const unlimited = { ...spec, origin: { ...spec.origin, ...none } }
      expect(() => containerSpec(unlimited, OPTIONS)).toThrow(/limits/)
    }
  })

  it('X18: secrets stand in the environment and nowhere else, and win over plain values', () => {
    const canary = 'canary-1234567890'
    const spec = specFor('image', 'x', {
      env: { A: 'plain', TOKEN: 'not this' },
      secretEnv: { TOKEN: new Secret(canary) },
    })
    const { Env, ...rest } = containerSpec(spec, OPTIONS)
    expect(new Set(Env)).toEqual(new Set(['A=plain', `TOKEN=${canary}`]))
    expect(JSON.stringify(rest)).not.toContain(canary)
  })

  it('refuses variables that would set something else than they say', () => {
    for (const env of [{ 'A=B': 'x' }, { '': 'x' }, { 'A\0': 'x' }, { A: 'x\0B=y' }]) {
      const broken = specFor('image', 'x', { env })
      expect(() => containerSpec(broken, OPTIONS)).toThrow(/cannot be set/)
    }
  })

  it('refuses to share the network of the host or of another container', () => {
    for (const network of ['host', 'HOST', ' host ', 'container:abc']) {
      expect(() => containerSpec(specFor('x', 'x'), { ...OPTIONS, network })).toThrow(
        /must not use the network/,
      )
    }
    for (const network of ['none', 'bridge', 'hosting', 'my-host']) {
      const { HostConfig } = containerSpec(specFor('x', 'x'), { ...OPTIONS, network })
      expect(HostConfig?.NetworkMode).toBe(network)
    }
  })

  it.each([
    [null, 'json-file', {}, { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } }],
    [null, 'local', {}, { Type: 'local', Config: { 'max-size': '10m', 'max-file': '2' } }],
    [null, 'journald', {}, { Type: 'journald', Config: {} }],
    ['json-file', 'journald', { 'max-size': '1g' }, { Config: { 'max-size': '1g', 'max-file': '2' } }],
    ['syslog', 'json-file', { tag: 'ci' }, { Type: 'syslog', Config: { tag: 'ci' } }],
  ])(
    'K21: logs with driver %s, default %s and options %j are bounded',
    (logDriver, defaultLogDriver, logOptions, expected) => {
      const options = { ...OPTIONS, logDriver, defaultLogDriver, logOptions: { ...logOptions } }
      expect(containerSpec(specFor('x', 'x'), options).HostConfig?.LogConfig).toMatchObject(expected)
    },
  )

  it('keeps the full set of capabilities for sysbox, whose root is nobody on the host', () => {
    const { HostConfig } = containerSpec(specFor('x', 'x', { isolation: 'sysbox' }), OPTIONS)
    expect(HostConfig).toMatchObject({ Runtime: 'sysbox-runc' })
    expect(HostConfig?.CapDrop).toBeUndefined()
  })
})

describe('labels', () => {
  it('give back what was written, whatever it holds', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const labels = writeLabels(OPTIONS, keptFacts(spec))
        expect(readLabels(labels)).toEqual(keptFacts(spec))
        expect(isOwned(OPTIONS, labels)).toBe(true)
        expect(isOwned({ ...OPTIONS, install: `${OPTIONS.install}x` }, labels)).toBe(false)
        expect(isOwned({ ...OPTIONS, host: hostId('host-b') }, labels)).toBe(false)
      }),
    )
  })

  it('never throw, whatever stands in them', () => {
    const names = ['slipway.install', 'slipway.host', 'slipway.runner', 'slipway.origin', 'slipway.limits']
    const some = fc.dictionary(fc.constantFrom(...names), fc.oneof(text, fc.json(), fc.constant(newId())))
    fc.assert(
      fc.property(some, (labels) => {
        expect(readLabels(labels)).toHaveProperty('unreadable')
      }),
    )
  })
})

describe('container state', () => {
  const spec = specFor('x', 'x')
  const container = (State: object, Name = `/slipway-${spec.runner}`) => ({
    Id: 'c1',
    Name,
    Created: '2026-01-02T03:04:05.123456789Z',
    State: {
      Status: 'created',
      ExitCode: 0,
      OOMKilled: false,
      Error: '',
      StartedAt: '0001-01-01T00:00:00Z',
      FinishedAt: '0001-01-01T00:00:00Z',
      ...State,
    },
    Config: { Labels: { ...writeLabels(OPTIONS, keptFacts(spec)) } },
    HostConfig: { NanoCpus: 0, Memory: 0 },
  })

  it('knows no exit of what never ran', () => {
    const created = { state: 'created', startedAt: null, finishedAt: null, exitCode: null, error: null }
    expect(readContainer(container({}))).toMatchObject({ ...created, createdAt: 1_767_323_045_123 })
    const failed = container({ ExitCode: 127, Error: 'no such program' })
    expect(readContainer(failed)).toMatchObject({ ...created, error: 'no such program' })
  })

  it('reads the end of one that ran', () => {
    const times = { StartedAt: '2026-01-02T03:04:06Z', FinishedAt: '2026-01-02T03:04:07.5Z' }
    expect(
      readContainer(container({ Status: 'exited', ExitCode: 3, OOMKilled: true, ...times })),
    ).toMatchObject({
      state: 'exited',
      exitCode: 3,
      oomKilled: true,
      startedAt: 1_767_323_046_000,
      finishedAt: 1_767_323_047_500,
    })
  })

  it('K4: whatever the engine can neither run nor start is dead', () => {
    const words = ['created', 'running', 'paused', 'restarting', 'exited', 'removing', 'dead', 'stopping']
    expect(words.map(stateOf)).toEqual([
      'created',
      'running',
      'running',
      'running',
      'exited',
      'dead',
      'dead',
      'dead',
    ])
  })

  it('takes no container for a runner that bears another name than its runner would', () => {
    expect(readContainer(container({}, '/renamed'))).toHaveProperty('unreadable')
  })
})

describe('failures', () => {
  it.each([
    [404, 'No such container: slipway-x', 'not-found'],
    [404, 'No such image: shipfox-runner:latest', 'not-found'],
    [404, 'network ci not found', 'refused'],
    [409, 'Conflict. The container name "/slipway-x" is already in use by container "abc".', 'conflict'],
    [409, 'removal of container x is already in progress', 'refused'],
    [409, 'You cannot remove a running container x. Stop the container before', 'refused'],
    [400, 'invalid reference format', 'refused'],
    [500, 'write /var/lib/docker: no space left on device', 'refused'],
    [500, 'driver failed programming external connectivity on endpoint', 'refused'],
    [500, 'failed to create task: context deadline exceeded: unknown', 'unreachable'],
    [500, 'dial unix /run/containerd/containerd.sock: connect: connection refused', 'unreachable'],
    [503, 'service unavailable', 'unreachable'],
  ])('status %i with "%s" is %s', (status, message, kind) => {
    expect(kindOfRefusal(status, message)).toBe(kind)
  })

  it('K2: only what was refused or never sent surely had no effect', () => {
    const error = (more: object) => Object.assign(new Error('x'), more)
    for (const none of [
      { code: 'ECONNREFUSED' },
      { code: 'ENOENT' },
      { statusCode: 400, json: { message: 'bad' } },
    ]) {
      expect(surelyNotDone(error(none))).toBe(true)
    }
    for (const some of [
      { code: 'ECONNRESET' },
      { code: 'EPIPE' },
      { code: 'ABORT_ERR' },
      {},
      { statusCode: 503 },
    ]) {
      expect(surelyNotDone(error(some))).toBe(false)
    }
  })

  it.each([
    ['manifest for x:y not found: manifest unknown: manifest unknown', 'not-found'],
    ['pull access denied for x, repository does not exist or may require docker login', 'refused'],
    ['Get "https://r/v2/": unauthorized: authentication required', 'refused'],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', 'refused'],
    ['write /var/lib/docker/tmp/x: no space left on device', 'refused'],
    ['toomanyrequests: You have reached your unauthenticated pull rate limit', 'registry-unavailable'],
    ['Get "https://r/v2/": net/http: request canceled (Client.Timeout exceeded)', 'registry-unavailable'],
    ['received unexpected HTTP status: 503 Service Unavailable', 'registry-unavailable'],
    ['dial tcp: lookup r on 10.0.0.2:53: no such host', 'registry-unavailable'],
  ])('K12: a pull that ends with "%s" is %s', (message, kind) => {
    expect(kindOfPullFailure(message)).toBe(kind)
  })
})

describe('image references', () => {
  it.each([
    ['ubuntu', 'ubuntu', 'latest'],
    ['shipfox-runner:ubuntu24', 'shipfox-runner', 'ubuntu24'],
    ['ghcr.io/a/b:1', 'ghcr.io/a/b', '1'],
    ['localhost:5000/a/b', 'localhost:5000/a/b', 'latest'],
    ['localhost:5000/a/b:2', 'localhost:5000/a/b', '2'],
    ['a/b@sha256:00', 'a/b', 'sha256:00'],
    ['localhost:5000/a:tag@sha256:00', 'localhost:5000/a', 'sha256:00'],
  ])('%s is pulled as %s and %s', (image, fromImage, tag) => {
    expect(parseImage(image)).toEqual({ fromImage, tag })
  })
})

describe('API versions', () => {
  it.each([
    ['1.41', '1.12', '1.41'],
    ['1.44', '1.24', '1.44'],
    ['1.52', '1.44', '1.44'],
    ['1.60', '1.50', '1.50'],
    ['1.40', '1.12', '1.40'],
    ['2.0', '1.44', '1.44'],
  ])('K13: an engine that offers up to %s and down to %s is spoken to in %s', (newest, oldest, spoken) => {
    expect(chooseApiVersion({ newest, oldest })).toBe(spoken)
  })

  it.each(['1.39', '1.9', '0.1', 'x', ''])('K13: refuses an engine whose newest version is %j', (newest) => {
    expect(() => chooseApiVersion({ newest, oldest: '1.0' })).toThrow(/API/)
  })
})

describe('addresses', () => {
  it.each([
    ['unix:///var/run/docker.sock', { transport: 'unix', path: '/var/run/docker.sock', local: true }],
    ['tcp://10.0.0.1', { transport: 'tcp', host: '10.0.0.1', port: 2375, local: false }],
    ['tcp://docker:2376', { transport: 'tcp', host: 'docker', port: 2376 }],
    ['tcp://[fd00::1]:2375', { transport: 'tcp', host: 'fd00::1', port: 2375 }],
    ['ssh://ci@build-1', { transport: 'ssh', user: 'ci', host: 'build-1', port: null, local: false }],
    ['ssh://build-1:2222', { transport: 'ssh', user: null, host: 'build-1', port: 2222 }],
  ])('reads %s', (address, expected) => {
    expect(parseDockerHost(address)).toMatchObject(expected)
  })

  it.each(['', 'docker', 'unix://relative', 'http://x', 'npipe:////./pipe/x', 'ssh://', 'ssh://u:pw@h'])(
    'refuses %j and shows no password',
    (address) => {
      expect(() => parseDockerHost(address)).toThrow(/is no address of a Docker Engine/)
      expect(() => parseDockerHost(address)).not.toThrow(/pw/)
    },
  )

  it('lets no part of an ssh address pass for an option', () => {
    const args = sshArguments({ host: '-oProxyCommand=x', user: '-oX', port: 22 })
    expect(args.indexOf('--')).toBeLessThan(args.indexOf('-oProxyCommand=x'))
    expect(args[args.indexOf('-oX') - 1]).toBe('-l')
  })
})

describe('streams of the engine', () => {
  const cut = (whole: Buffer, sizes: readonly number[]): Buffer[] => {
    const pieces: Buffer[] = []
    let rest = whole
    for (const size of [...sizes, whole.length]) {
      pieces.push(rest.subarray(0, size))
      rest = rest.subarray(size)
    }
    return pieces
  }
  const pieceSizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 })

  it('logs come apart the same however the stream was cut', () => {
    const frames = fc.array(fc.record({ stream: fc.constantFrom(1, 2), content: text }))
    fc.assert(
      fc.property(frames, pieceSizes, (written, sizes) => {
        const stream = written.flatMap(({ stream: number, content }) => {
          const bytes = Buffer.from(content)
          const header = Buffer.from([number, 0, 0, 0, 0, 0, 0, 0])
          header.writeUInt32BE(bytes.length, 4)
          return [header, bytes]
        })
        const found: Buffer[] = []
        const feed = demultiplexer((content) => void found.push(Buffer.from(content)))
        for (const piece of cut(Buffer.concat(stream), sizes)) feed(piece)
        const expected = Buffer.concat(written.map(({ content }) => Buffer.from(content)))
        expect(Buffer.concat(found)).toEqual(expected)
      }),
    )
  })

  it('a tail is the end of the whole, within its bound and without half characters', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.integer({ min: 1, max: 50 }),
        (chunks, maxBytes) => {
          const tail = new Tail(maxBytes)
          for (const chunk of chunks) tail.add(Buffer.from(chunk))
          const found = tail.text()
          expect(Buffer.byteLength(found)).toBeLessThanOrEqual(maxBytes)
          expect(Buffer.byteLength(found)).toBeGreaterThan(
            Math.min(maxBytes, Buffer.byteLength(chunks.join(''))) - 4,
          )
          expect(chunks.join('').endsWith(found)).toBe(true)
        },
      ),
    )
  })

  it('lines are found however the stream was cut', async () => {
    const line = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((found) => found.trim() !== '' && !found.includes('\n'))
    await fc.assert(
      fc.asyncProperty(fc.array(line), pieceSizes, async (lines, sizes) => {
        const found: string[] = []
        const pieces = async function* () {
          yield* cut(Buffer.from(lines.join('\n')), sizes)
        }
        for await (const one of readLines(pieces())) found.push(one)
        expect(found).toEqual(lines)
      }),
    )
  })

  it('a line without an end is no event stream', async () => {
    const endless = async function* () {
      for (;;) yield Buffer.alloc(65_536, 'x')
    }
    await expect(readLines(endless()).next()).rejects.toThrow(/no end/)
  })

  it('K20: events that name no runner tell nothing', () => {
    const id = newId()
    const event = (Action: string, runner: string) =>
      JSON.stringify({ Action, Actor: { Attributes: { 'slipway.runner': runner } } })
    expect(parseEvent(event('die', id))).toEqual({ runner: id, kind: 'exited' })
    expect(parseEvent(event('destroy', id))).toEqual({ runner: id, kind: 'removed' })
    for (const none of [event('exec_start', id), event('die', 'x'), '{}', '[]', '1']) {
      expect(parseEvent(none)).toBeNull()
    }
  })
})

describe('deadline of a call', () => {
  const never = new Promise<never>(() => {})

  it('K1: ends a call that never settles, and tells the work so', async () => {
    const signals: AbortSignal[] = []
    const call = { doing: 'wait', timeoutMs: 20 }
    const failure = await failureOf(withDeadline(realClock, call, (signal) => (signals.push(signal), never)))
    expect(failure).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('wait') })
    expect(signals[0]?.aborted).toBe(true)
  })

  it('never aborts what was done in time', async () => {
    const opened = await withDeadline(realClock, { doing: 'open', timeoutMs: 10 }, async (signal) => signal)
    await realClock.sleep(50)
    expect(opened.aborted).toBe(false)
  })

  it('waits on while there are signs of life, but not for ever', async () => {
    const call = { doing: 'pull', timeoutMs: 800, maxMs: 1_000, lateKind: 'registry-unavailable' as const }
    const begun = performance.now()
    const failure = await failureOf(
      withDeadline(realClock, call, async (signal, alive) => {
        while (!signal.aborted) {
          alive()
          await realClock.sleep(10)
        }
      }),
    )
    expect(failure.kind).toBe('registry-unavailable')
    expect(performance.now() - begun).toBeGreaterThan(900)
  })
})
