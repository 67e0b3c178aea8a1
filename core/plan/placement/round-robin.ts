/** Cycles through `0 … size - 1` and skips dropped indexes: all steps together take about linear time in `size`. */
export class RoundRobinCursor {
  readonly #size: number
  /** The distance from each index to the next candidate; 0 = the index is not dropped. */
  readonly #steps: Int32Array
  #at: number
  #left: number

  constructor(size: number, start: number) {
    this.#size = size
    this.#steps = new Int32Array(size)
    this.#at = start
    this.#left = size
  }

  /** The next index that is not dropped; null = none is left. */
  next(): number | null {
    if (this.#left === 0) return null
    const index = this.#follow(this.#at)
    this.#at = (index + 1) % this.#size
    return index
  }

  /** Drops an index that `next` gave. */
  drop(index: number): void {
    this.#steps[index] = 1
    this.#left -= 1
  }

  /** Compresses the path that it follows, so that later calls skip it in one step. */
  #follow(start: number): number {
    let way = 0
    for (let step = this.#step(start); step > 0; step = this.#step(start + way)) way += step
    for (let done = 0; done < way; ) {
      const index = (start + done) % this.#size
      const step = this.#step(index)
      this.#steps[index] = way - done
      done += step
    }
    return (start + way) % this.#size
  }

  #step(index: number): number {
    return this.#steps[index % this.#size] ?? 0
  }
}
