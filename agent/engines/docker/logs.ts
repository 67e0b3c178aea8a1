import type Docker from 'dockerode'
import { Tail } from '../tail.ts'
import { askForStream } from './ask.ts'

/** Lines of usual length fill `maxBytes`, and the engine need not read the whole file. */
const BYTES_PER_LINE_MIN = 16
const LINES_MAX = 2_000
/** Stream (1 byte), padding (3), length of what follows (4, big-endian). */
const HEADER_BYTES = 8

/** The end of a container's output, both streams in the order in which the engine received them. */
export async function readLogTail(
  docker: Docker,
  containerId: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const lines = Math.min(LINES_MAX, Math.ceil(maxBytes / BYTES_PER_LINE_MIN))
  const query = { stdout: true, stderr: true, tail: lines }
  const stream = await askForStream(docker, { path: `/containers/${containerId}/logs`, query }, signal)
  const tail = new Tail(maxBytes)
  const demultiplex = demultiplexer((chunk) => tail.add(chunk))
  // Not copied: a log may be much larger than the part that is kept.
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) demultiplex(chunk)
  return tail.text()
}

/** A function that is fed the engine's stream in any pieces and passes on what the container wrote. */
export function demultiplexer(onContent: (content: Buffer) => void): (piece: Buffer) => void {
  let header = Buffer.alloc(0)
  let contentLeft = 0
  return (piece) => {
    let rest = piece
    while (rest.length > 0) {
      if (contentLeft > 0) {
        const content = rest.subarray(0, contentLeft)
        onContent(content)
        contentLeft -= content.length
        rest = rest.subarray(content.length)
        continue
      }
      const missing = HEADER_BYTES - header.length
      header = Buffer.concat([header, rest.subarray(0, missing)])
      rest = rest.subarray(missing)
      if (header.length < HEADER_BYTES) return
      contentLeft = header.readUInt32BE(4)
      header = Buffer.alloc(0)
    }
  }
}
