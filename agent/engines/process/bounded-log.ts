import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isErrno } from '../../../platform/errno.ts'
import { Tail } from '../tail.ts'

/** Two files of this size at most: the end of a long output can be read, whatever a runner writes. */
const FILE_MAX_BYTES = 5 * 1_048_576

/** The log of one runner: `path`, and `path.old` with what came before it. */
export class BoundedLog {
  readonly #path: string
  #file: number
  #bytes = 0

  constructor(path: string) {
    this.#path = path
    this.#file = openSync(path, 'a', 0o600)
  }

  /** Writes before it returns, so that a runner which writes faster than the disk has to wait. */
  write(chunk: Uint8Array): void {
    if (this.#bytes + chunk.length > FILE_MAX_BYTES) this.#turnOver()
    writeSync(this.#file, chunk)
    this.#bytes += chunk.length
  }

  #turnOver(): void {
    closeSync(this.#file)
    renameSync(this.#path, `${this.#path}.old`)
    this.#file = openSync(this.#path, 'a', 0o600)
    this.#bytes = 0
  }
}

/** The last bytes of a log, over both of its files; empty when nothing was ever written. */
export async function readBoundedLog(path: string, maxBytes: number): Promise<string> {
  const tail = new Tail(maxBytes)
  for (const part of [`${path}.old`, path]) {
    const end = await readEnd(part, maxBytes)
    if (end !== null) tail.add(end)
  }
  return tail.text()
}

async function readEnd(path: string, maxBytes: number): Promise<Buffer | null> {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const length = Math.min(size, maxBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return null
    throw thrown
  }
}
