/** Many times the longest line of an engine; a longer one does not come from an engine. */
const LINE_MAX_CHARS = 1_048_576

/** The lines of a byte stream, without empty ones; the last one need not be ended. Throws when the stream breaks. */
export async function* readLines(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let pending = ''
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a stream of bytes was expected')
    const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n')
    pending = lines.pop() ?? ''
    if (pending.length > LINE_MAX_CHARS) throw new RangeError('a line of the answer has no end')
    for (const line of lines) if (line.trim() !== '') yield line
  }
  if (pending.trim() !== '') yield pending
}
