/** Keeps the last `maxBytes` of what is added. */
export class Tail {
  readonly #maxBytes: number
  #kept: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(chunk: Buffer): void {
    this.#kept.push(chunk)
    this.#bytes += chunk.length
    // Joined only now and then: a copy for each chunk would cost the square of the whole.
    if (this.#bytes > 2 * this.#maxBytes + 65_536) this.#cut()
  }

  /** As text; a character whose beginning was cut off is left out, so the text never grows over the bound. */
  text(): string {
    this.#cut()
    const bytes = this.#kept[0] ?? Buffer.alloc(0)
    let start = 0
    while (start < Math.min(4, bytes.length) && isContinuation(bytes[start])) start += 1
    return bytes.toString('utf8', start)
  }

  #cut(): void {
    const all = Buffer.concat(this.#kept)
    const kept = Buffer.from(all.subarray(Math.max(0, all.length - this.#maxBytes)))
    this.#kept = [kept]
    this.#bytes = kept.length
  }
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte < 0xc0
}
