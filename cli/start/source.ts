import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDataDir } from '../../platform/folder-lock.ts'
import { isErrno } from '../../platform/errno.ts'
import type { Settings } from '../../config/index.ts'
import { SlipwayError, sourceId } from '../../core/model/index.ts'
import {
  type ProtocolGeneration,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../sandbox/index.ts'
import { addressOf, type SourceAddress } from '../../local/source-address.ts'
import { bridgeAddress } from './bridge.ts'

export interface OpenedSource {
  readonly address: SourceAddress
  /** The sandbox that this process started; null = the source is an external server. */
  readonly sandbox: Sandbox | null
  /** Entries that containers need in their hosts file to reach the source, `name:address`. */
  readonly extraHosts: readonly string[]
  close(): Promise<void>
}

export interface SandboxPlan {
  readonly protocol: ProtocolGeneration
  readonly inContainers: boolean
  readonly port?: number
  readonly onEvent: NonNullable<SandboxOptions['onEvent']>
}

/** The Shipfox API of the settings, or a new sandbox that runners can reach. */
export async function openSource(settings: Settings, plan: SandboxPlan): Promise<OpenedSource> {
  const { source } = settings
  if (source.kind === 'sandbox') return openSandbox(settings.stateDir, plan)
  return { address: addressOf(settings, source), sandbox: null, extraHosts: [], async close() {} }
}

async function openSandbox(stateDir: string, plan: SandboxPlan): Promise<OpenedSource> {
  const reach = plan.inContainers ? await containerReach() : { listenOn: '127.0.0.1', name: null }
  const dataDir = join(stateDir, `sandbox-${plan.protocol}`)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const lock = await lockDataDir(dataDir, 'sandbox')
  const options = { protocol: plan.protocol, dataDir, host: reach.listenOn, onEvent: plan.onEvent }
  const sandbox = await startOnLastPort(dataDir, plan.port, options).catch(async (thrown: unknown) => {
    await lock.release()
    throw thrown
  })
  const runnerApiUrl = reach.name === null ? sandbox.url : `http://${reach.name}:${sandbox.port}`
  const address = {
    id: sourceId('sandbox'),
    apiUrl: sandbox.url,
    runnerApiUrl,
    token: sandbox.token,
    protocol: plan.protocol,
  }
  const extraHosts = reach.name === null ? [] : [`${reach.name}:host-gateway`]
  return {
    address,
    sandbox,
    extraHosts,
    async close() {
      await sandbox.close()
      await lock.release()
    },
  }
}

/** Starts on the port of the last run if it is free, because runners of that run still call it. */
async function startOnLastPort(
  dataDir: string,
  port: number | undefined,
  options: SandboxOptions,
): Promise<Sandbox> {
  if (port !== undefined) return startSandbox({ ...options, port })
  const note = join(dataDir, 'port')
  const last = await readPort(note)
  const sandbox = await startSandbox({ ...options, port: last }).catch((thrown: unknown) => {
    if (last !== 0 && thrown instanceof SlipwayError && thrown.code === 'sandbox-listen')
      return startSandbox(options)
    throw thrown
  })
  try {
    await writeFile(note, `${sandbox.port}\n`)
  } catch (thrown) {
    await sandbox.close()
    throw thrown
  }
  return sandbox
}

/** 0 (any port) when there was no earlier run or its file is invalid. */
async function readPort(note: string): Promise<number> {
  try {
    const port = Number(await readFile(note, 'utf8'))
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return 0
    throw thrown
  }
}

const HOST_NAME = 'host.docker.internal'

/**
 * The address to listen on so that containers of this machine's engine can connect: the engine's bridge if there is
 * one, because other machines cannot reach it; otherwise all addresses, with the engine's name for its host.
 */
async function containerReach(): Promise<{ listenOn: string; name: string | null }> {
  const bridge = await bridgeAddress()
  return bridge === null ? { listenOn: '0.0.0.0', name: HOST_NAME } : { listenOn: bridge, name: null }
}
