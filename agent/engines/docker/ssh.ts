import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { Agent } from 'node:http'
import { Duplex } from 'node:stream'

export interface SshAddress {
  readonly host: string
  /** Null = what the owner's ssh configuration says, or 22. */
  readonly port: number | null
  /** Null = what the owner's ssh configuration says, or the user who runs this. */
  readonly user: string | null
}

/** ssh gives up after this; below the deadline of a call, so that ssh's own message is reported. */
const CONNECT_TIMEOUT_S = 20
/** The end of ssh's error output. */
const STDERR_SHOWN_CHARS = 500

/**
 * Reaches an engine as the docker command does: through the machine's own ssh, which knows the owner's keys, hosts
 * and jumps, and checks the server's key. One ssh per call, unless the owner's configuration shares connections.
 */
export class SshAgent extends Agent {
  readonly #address: SshAddress

  constructor(address: SshAddress) {
    super()
    this.#address = address
  }

  override createConnection(): Duplex {
    return new SshConnection(this.#address)
  }
}

/** The connection through ssh, as a socket. It ends when ssh has ended, so that a failure contains ssh's own message. */
class SshConnection extends Duplex {
  readonly #ssh: ChildProcessWithoutNullStreams

  constructor(address: SshAddress) {
    super()
    this.#ssh = spawn('ssh', sshArguments(address))
    const { stdin, stdout, stderr } = this.#ssh
    let said = ''
    stderr.on('data', (chunk) => {
      said = `${said}${String(chunk)}`.slice(-STDERR_SHOWN_CHARS)
    })
    stdout.on('data', (chunk) => {
      if (!this.push(chunk)) stdout.pause()
    })
    // Writing to an ssh that has just ended fails; its exit says why.
    stdin.on('error', () => stdin.destroy())
    this.#ssh.once('error', (error) => this.destroy(error))
    this.#ssh.once('close', (code) => {
      if (code === 0) this.push(null)
      else this.destroy(new Error(`ssh to ${address.host} ended with ${code}: ${said.trim()}`))
    })
  }

  override _read(): void {
    this.#ssh.stdout.resume()
  }

  override _write(chunk: Uint8Array, _: BufferEncoding, done: () => void): void {
    this.#ssh.stdin.write(chunk, () => done())
  }

  override _final(done: () => void): void {
    this.#ssh.stdin.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#ssh.kill()
    done(error)
  }
}

/** No part of an address is taken for an option: values are separate arguments, and `--` ends the options. */
export function sshArguments({ host, port, user }: SshAddress): string[] {
  return [
    '-T',
    '-o',
    'BatchMode=yes',
    '-o',
    `ConnectTimeout=${CONNECT_TIMEOUT_S}`,
    ...(user === null ? [] : ['-l', user]),
    ...(port === null ? [] : ['-p', String(port)]),
    '--',
    host,
    'docker',
    'system',
    'dial-stdio',
  ]
}
