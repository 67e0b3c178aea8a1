import { type ChildProcess, spawn } from 'node:child_process'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Docker from 'dockerode'
import { messageOf } from '../../core/model/index.ts'
import { TEST_LABEL } from '../support/test-image.ts'

/** One execution environment: a process that runs the function's code, and can be frozen between events. */
export interface Environment {
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Idempotent. */
  kill(): Promise<void>
}

export interface EnvironmentPlan {
  readonly assetFolder: string
  readonly env: Readonly<Record<string, string>>
  readonly onOutput: (text: string) => void
  /** It ended, by itself or killed. */
  readonly onExit: (how: string) => void
}

export type StartEnvironment = (plan: EnvironmentPlan) => Promise<Environment>

const RUNTIME = fileURLToPath(new URL('lambda-runtime.mjs', import.meta.url))

/** A plain child process, stopped and continued by signals. */
export const startProcess: StartEnvironment = async ({ assetFolder, env, onOutput, onExit }) => {
  const child = spawn(process.execPath, [RUNTIME], {
    cwd: assetFolder,
    env: { ...env, LAMBDA_TASK_ROOT: assetFolder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onOutput)
  const exited = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      onExit(signal ?? `exit code ${code}`)
      resolve()
    })
  })
  await spawned(child)
  return {
    freeze: async () => void child.kill('SIGSTOP'),
    thaw: async () => void child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

/** Where the container finds what it runs; read-only, as on Lambda. */
const TASK_ROOT = '/var/task'
const RUNTIME_FILE = '/var/runtime/lambda-runtime.mjs'

/**
 * A container with a share of a CPU and a memory limit, in the host's network, so that it finds everything on
 * loopback. The image needs nothing but `node`.
 */
export function startContainer(limits: {
  readonly image: string
  readonly cpus: number
  readonly memoryMb: number
}): StartEnvironment {
  const docker = new Docker()
  return async ({ assetFolder, env, onOutput, onExit }) => {
    const container = await docker.createContainer({
      Image: limits.image,
      Entrypoint: ['/usr/bin/node', RUNTIME_FILE],
      Env: Object.entries({ ...env, LAMBDA_TASK_ROOT: TASK_ROOT }).map(([name, value]) => `${name}=${value}`),
      Labels: { [TEST_LABEL]: 'function' },
      HostConfig: {
        NetworkMode: 'host',
        NanoCpus: limits.cpus * 1e9,
        Memory: limits.memoryMb * 1024 * 1024,
        ReadonlyRootfs: true,
        Binds: [`${assetFolder}:${TASK_ROOT}:ro`, `${RUNTIME}:${RUNTIME_FILE}:ro`],
      },
    })
    const output = await container.attach({ stream: true, stdout: true, stderr: true })
    docker.modem.demuxStream(output, writable(onOutput), writable(onOutput))
    await container.start()
    const ended = container.wait().then(
      ({ StatusCode }: { StatusCode: number }) => onExit(`exit code ${StatusCode}`),
      (cause: unknown) => onExit(String(cause)),
    )
    let removed: Promise<void> | null = null
    return {
      freeze: () => freeze(container),
      thaw: async () => void (await container.unpause()),
      kill() {
        removed ??= container.remove({ force: true }).then(() => ended)
        return removed
      },
    }
  }
}

function writable(onOutput: (text: string) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      onOutput(chunk.toString('utf8'))
      done()
    },
  })
}

/** The kernel cannot freeze a process in the middle of some calls, which a busy machine prolongs. */
const FREEZE_TRIES = 20

async function freeze(container: Docker.Container): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await container.pause()
      return
    } catch (thrown) {
      if (attempt === FREEZE_TRIES || !/unable to freeze/.test(messageOf(thrown))) throw thrown
      await pause(50)
    }
  }
}
