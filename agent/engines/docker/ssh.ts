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

/** Without an answer by then, ssh gives up; it is below the bound of a call, so that its own words are heard. */
const CONNECT_TIMEOUT_S = 20
/** The end of what ssh says about a failure. */
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

/** What ssh carries, as a socket. It ends when ssh has ended, so that a failure comes with ssh's own words. */
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
    // Writing to an ssh that has just ended fails; its exit tells why.
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

/** Nothing in an address can pass for an option: values are arguments of their own, and `--` ends the options. */
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
