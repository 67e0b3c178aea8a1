import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, open, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Docker from 'dockerode'
import { eventually } from '../../support/eventually.ts'
import { demoImage } from '../../e2e/world.ts'

const run = promisify(execFile)

export interface OwnEngineOptions {
  /** Its data lies on a disk of its own, this large; absent: on the machine's. */
  readonly diskMib?: number
  /** Containers outlive the daemon. */
  readonly liveRestore?: boolean
}

/**
 * A second Docker Engine on this machine, for what must not happen to the one that others use: its own daemon,
 * containerd, bridge and data, with the demo runner's image in it. Needs root, as dockerd does.
 */
export class OwnEngine {
  readonly folder: string
  readonly image: string
  readonly docker: Docker
  readonly #bridge: string
  readonly #liveRestore: boolean
  #pid: number | null = null

  static async open({ diskMib, liveRestore = false }: OwnEngineOptions = {}): Promise<OwnEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-engine-'))
    const bridge = await makeBridge()
    const engine = new OwnEngine(folder, bridge, await demoImage(), liveRestore)
    try {
      await mkdir(engine.data)
      if (diskMib !== undefined) await mountDisk(folder, engine.data, diskMib)
      await engine.start()
      await engine.#copyImage()
      return engine
    } catch (thrown) {
      await engine.close()
      throw thrown
    }
  }

  private constructor(folder: string, bridge: string, image: string, liveRestore: boolean) {
    this.folder = folder
    this.image = image
    this.#bridge = bridge
    this.#liveRestore = liveRestore
    this.docker = new Docker({ socketPath: this.socket })
  }

  get socket(): string {
    return join(this.folder, 'docker.sock')
  }

  get data(): string {
    return join(this.folder, 'data')
  }

  async start(): Promise<void> {
    // Where nobody reaps it, a dead containerd keeps its process id, and the daemon would take it for a living one.
    await rm(join(this.folder, 'exec', 'containerd', 'containerd.pid'), { force: true })
    const log = await open(join(this.folder, 'log'), 'a')
    const child = spawn(
      'dockerd',
      [
        ...['--data-root', this.data, '--exec-root', join(this.folder, 'exec')],
        ...['-H', `unix://${this.socket}`, '--pidfile', join(this.folder, 'pid')],
        ...[`--bridge=${this.#bridge}`, '--iptables=false', '--ip-masq=false'],
        ...(this.#liveRestore ? ['--live-restore'] : []),
      ],
      { stdio: ['ignore', log.fd, log.fd] },
    )
    this.#pid = child.pid ?? null
    child.once('exit', () => {
      this.#pid = null
    })
    await log.close()
    await eventually('the engine answers', async () => this.#pid !== null && (await this.#answers())).catch(
      async (cause: unknown) => {
        const said = await readFile(join(this.folder, 'log'), 'utf8')
        throw new Error(`${String(cause)}\n${said.slice(-3_000)}`, { cause })
      },
    )
  }

  /** Ends the daemon, and waits for it: SIGTERM lets it stop its containers first. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#signal(signal)
    await eventually('the daemon is gone', () => this.#pid === null)
    // It takes its containerd with it, which should be gone before another one starts.
    const isContainerd = (line: string): boolean => !line.includes('containerd-shim')
    await eventually('its containerd is gone', async () => (await this.#processes(isContainerd)).length === 0)
  }

  freeze(): void {
    this.#signal('SIGSTOP')
  }

  thaw(): void {
    this.#signal('SIGCONT')
  }

  /** The processes that look after one container each. */
  async shims(): Promise<readonly number[]> {
    return this.#processes((line) => line.includes('containerd-shim'))
  }

  /** Everything at once, and nothing is told: what a power cut leaves. */
  async cutPower(): Promise<void> {
    const containers = await this.docker.listContainers()
    const inits = await Promise.all(
      containers.map(async ({ Id }) => (await this.docker.getContainer(Id).inspect()).State.Pid),
    )
    this.#signal('SIGKILL')
    // One that has just exited has the process id 0, which to a kill means the whole group of ours.
    const alive = inits.filter((pid) => pid > 0)
    for (const pid of [...(await this.#processes(() => true)), ...alive]) kill(pid, 'SIGKILL')
    await eventually('nothing of it runs', async () => {
      return this.#pid === null && (await this.#processes(() => true)).length === 0 && alive.every(isGone)
    })
  }

  /** Leaves this much of its disk; returns how to give the rest back. */
  async fillDisk(leaveBytes: number): Promise<() => Promise<void>> {
    const { bavail, bsize } = await statfs(this.data)
    const path = join(this.data, 'ballast')
    await run('fallocate', ['-l', String(bavail * bsize - leaveBytes), path])
    return () => rm(path)
  }

  async close(): Promise<void> {
    this.thaw()
    if (this.#pid === null) await this.start().catch(() => {})
    if (this.#pid !== null) {
      for (const { Id } of await this.docker.listContainers({ all: true }))
        await this.docker
          .getContainer(Id)
          .remove({ force: true })
          .catch(() => {})
      await this.stop('SIGTERM').catch(() => this.#signal('SIGKILL'))
    }
    for (const pid of await this.#processes(() => true)) kill(pid, 'SIGKILL')
    await eventually('its processes are gone', async () => (await this.#processes(() => true)).length === 0)
    for (const path of await this.#mounts()) await run('umount', ['-l', path])
    await run('ip', ['link', 'del', this.#bridge])
    await rm(this.folder, { recursive: true, force: true })
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#pid !== null) kill(this.#pid, signal)
  }

  async #answers(): Promise<boolean> {
    return this.docker.ping().then(
      () => true,
      () => false,
    )
  }

  async #copyImage(): Promise<void> {
    const archive = await new Docker({ socketPath: '/var/run/docker.sock' }).getImage(this.image).get()
    const progress = await this.docker.loadImage(archive)
    for await (const _ of progress);
  }

  /** Those that name this folder, but for the daemon. */
  async #processes(wanted: (line: string) => boolean): Promise<readonly number[]> {
    const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== this.#pid)
    const lines = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    )
    return pids.filter((_, index) => {
      const line = lines[index] ?? ''
      return line.includes(`${this.folder}/`) && line.includes('containerd') && wanted(line)
    })
  }

  async #mounts(): Promise<readonly string[]> {
    const lines = (await readFile('/proc/mounts', 'utf8')).split('\n')
    return lines
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${this.folder}/`))
      .toReversed()
  }
}

/** A bridge in a subnet of its own; the machine's other addresses can be reached from it. */
async function makeBridge(): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const number = 1 + Math.floor(Math.random() * 250)
    const name = `slw${number}`
    try {
      await run('ip', ['link', 'add', 'name', name, 'type', 'bridge'])
      await run('ip', ['addr', 'add', `172.30.${number}.1/24`, 'dev', name])
      await run('ip', ['link', 'set', name, 'up'])
      return name
    } catch (thrown) {
      if (tries === 5) throw thrown
    }
  }
}

async function mountDisk(folder: string, path: string, mib: number): Promise<void> {
  const image = join(folder, 'disk')
  await run('truncate', ['-s', `${mib}M`, image])
  await run('mkfs.ext4', ['-q', '-m', '0', image])
  await run('mount', ['-o', 'loop', image, path])
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}
