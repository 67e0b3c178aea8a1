import { existsSync } from 'node:fs'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import Docker from 'dockerode'
import { SlipwayError } from '../../../core/model/index.ts'
import { SshAgent, type SshAddress } from './ssh.ts'

/** PEM texts for an engine that listens on TCP with TLS. */
export interface EngineTls {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Where an engine is. `local` = on this machine, so its boot is this machine's boot. */
export type EngineAddress =
  | { readonly transport: 'unix'; readonly local: true; readonly path: string }
  | { readonly transport: 'tcp'; readonly local: false; readonly host: string; readonly port: number }
  | ({ readonly transport: 'ssh'; readonly local: false } & SshAddress)

const LOCAL_SOCKET = '/var/run/docker.sock'
const TCP_PORT = 2375
/** The client wants some address; the agent that connects through ssh never looks at it. */
const SSH_STAND_IN = '/ssh'

/** Reads `unix://`, `tcp://` and `ssh://`. Throws `docker-host-invalid`. */
export function parseDockerHost(text: string): EngineAddress {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length)
    if (!path.startsWith('/')) throw badHost(text, 'the path of the socket must be absolute')
    return { transport: 'unix', local: true, path }
  }
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.hostname === '') throw badHost(text, 'it is not an address')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'tcp:') {
    return { transport: 'tcp', local: false, host, port: Number(url.port || TCP_PORT) }
  }
  if (url.protocol !== 'ssh:') throw badHost(text, `"${url.protocol}//" is not supported`)
  if (url.password !== '') throw badHost(text, 'a password has no place in it: use a key')
  const user = url.username === '' ? null : decodeURIComponent(url.username)
  return { transport: 'ssh', local: false, host, port: url.port === '' ? null : Number(url.port), user }
}

/** The engine's own socket, or that of Docker Desktop, which keeps one per user. */
export function localAddress(): EngineAddress {
  const ofUser = join(homedir(), '.docker', 'run', 'docker.sock')
  return { transport: 'unix', local: true, path: existsSync(ofUser) ? ofUser : LOCAL_SOCKET }
}

export interface ClientOptions {
  readonly tls: EngineTls | null
  /** Null = whatever the engine speaks, which only serves to ask for its versions. */
  readonly apiVersion: string | null
}

/**
 * A client that opens a connection per call: a pooled one may be dead when it is used next, and then nobody knows
 * whether the engine did what it was asked. A fresh one costs a fraction of a millisecond on a socket file.
 */
export function openClient(address: EngineAddress, { tls, apiVersion }: ClientOptions): Docker {
  // Everything is given, even as undefined: what is left out, dockerode takes from DOCKER_HOST.
  const version = apiVersion === null ? undefined : `v${apiVersion}`
  const common = { host: undefined, socketPath: undefined, protocol: 'http', version } as const
  switch (address.transport) {
    case 'unix':
      return new Docker({ ...common, socketPath: address.path, ...through(new HttpAgent()) })
    case 'tcp': {
      const { host, port } = address
      if (tls === null) return new Docker({ ...common, host, port, ...through(new HttpAgent()) })
      return new Docker({ ...common, protocol: 'https', host, port, ...tls, ...through(new HttpsAgent()) })
    }
    case 'ssh':
      return new Docker({ ...common, socketPath: SSH_STAND_IN, ...through(new SshAgent(address)) })
  }
}

/**
 * dockerode hands an agent on to Node, though its types don't tell. It also prints all options of each call, to throw
 * the text away when nobody debugs: an agent with its sockets would cost more there than the call.
 */
function through(agent: HttpAgent): object {
  Object.defineProperty(agent, inspect.custom, { value: () => 'Agent {}' })
  return { agent }
}

function badHost(text: string, why: string): SlipwayError {
  return new SlipwayError(
    'docker-host-invalid',
    `"${text.replace(/\/\/[^@]*@/, '//…@')}" is no address of a Docker Engine: ${why}. Expected unix:///path, tcp://host:port or ssh://user@host.`,
  )
}
