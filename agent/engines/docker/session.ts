import type Docker from 'dockerode'
import * as z from 'zod'
import type { SlotSize } from '../../../core/model/index.ts'
import type { Clock } from '../../../core/ports/index.ts'
import { EngineError, type EngineFacts } from '../engine.ts'
import { machineBootId } from '../boot-id.ts'
import { chooseApiVersion } from './api-version.ts'
import { ask } from './ask.ts'
import { openClient, type EngineAddress, type EngineTls } from './connection.ts'
import { withDeadline } from './deadline.ts'

const Version = z.object({
  ApiVersion: z.string(),
  // Podman leaves it out.
  MinAPIVersion: z.string().optional(),
})

const Info = z.object({
  ID: z.string(),
  ServerVersion: z.string(),
  OSType: z.string().default('linux'),
  NCPU: z.number(),
  MemTotal: z.number(),
  SystemTime: z.string(),
  LoggingDriver: z.string().default('json-file'),
  DockerRootDir: z.string().default(''),
  Runtimes: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((runtimes) => runtimes ?? {}),
})
export type Info = z.infer<typeof Info>

/** An engine that has answered: a client in an API version that both sides speak. */
export interface Session {
  readonly docker: Docker
  readonly defaultLogDriver: string
}

export interface SessionOptions {
  readonly address: EngineAddress
  readonly tls: EngineTls | null
  readonly clock: Clock
  readonly callTimeoutMs: number
}

const BYTES_PER_MIB = 1_048_576

/** Agrees on an API version and learns the engine's defaults. Throws `unreachable`, or `refused` for one that is too old. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const call = { doing: 'agree on an API version', timeoutMs: options.callTimeoutMs }
  const { address, tls } = options
  return withDeadline(options.clock, call, async (signal) => {
    const asking = openClient(address, { tls, apiVersion: null })
    const { ApiVersion, MinAPIVersion } = Version.parse(await ask(asking, { path: '/version' }, signal))
    const apiVersion = chooseApiVersion({ newest: ApiVersion, oldest: MinAPIVersion ?? ApiVersion })
    const docker = openClient(address, { tls, apiVersion })
    const info = await readInfo(docker, signal)
    if (info.OSType !== 'linux') {
      throw new EngineError(
        'refused',
        `This Docker Engine runs ${info.OSType} containers; Slipway needs Linux ones.`,
      )
    }
    return { docker, defaultLogDriver: info.LoggingDriver }
  })
}

export async function readInfo(docker: Docker, signal: AbortSignal): Promise<Info> {
  return Info.parse(await ask(docker, { path: '/info' }, signal))
}

/**
 * Next to its engine, an agent takes the boot id of their common kernel. Of an engine elsewhere only its own id is
 * known, which outlives a restart of its machine: there, exits across a reboot cannot be told from real ones, so an
 * agent belongs on the machine of its engine. `held` is capacity that must not be offered.
 */
export async function readFacts(
  info: Info,
  address: EngineAddress,
  held: readonly SlotSize[],
): Promise<EngineFacts> {
  const heldOf = (size: keyof SlotSize): number => held.reduce((sum, slot) => sum + slot[size], 0)
  return {
    kind: 'docker',
    version: info.ServerVersion,
    bootId: address.local ? await machineBootId() : `engine:${info.ID}`,
    capacity: {
      cpuMillis: Math.max(0, info.NCPU * 1000 - heldOf('cpuMillis')),
      memoryMib: Math.max(0, Math.floor(info.MemTotal / BYTES_PER_MIB) - heldOf('memoryMib')),
    },
    isolations: 'sysbox-runc' in info.Runtimes ? ['runc', 'sysbox'] : ['runc'],
    storage: address.local && info.DockerRootDir !== '' ? info.DockerRootDir : null,
  }
}
