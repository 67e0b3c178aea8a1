import { open, readFile, rename, truncate, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SlipwayError, messageOf } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { syncFolder, writeBeside } from '../../platform/durable-file.ts'
import { isErrno } from '../../platform/errno.ts'
import { decodeJournalLine, encodeJournalRecord, type JournalRecord } from '../../protocol/journal.ts'
import type { RunnerEvents } from '../runner-events.ts'
import { createLedger, type Entry, type Ledger, type MutableLedger } from './ledger.ts'

/** The journal is compacted above this size. A day of a busy host (about 10,000 runners at 600 bytes) stays below. */
const COMPACT_ABOVE_BYTES = 8 * 1024 * 1024

interface Pending {
  readonly record: JournalRecord
  readonly resolve: (changed: boolean) => void
  readonly reject: (error: SlipwayError) => void
}

/** Opens or creates the journal of a data folder. Cuts off a torn last line; skips and logs a damaged line. */
export async function openJournal(
  dataDir: string,
  log: Log,
  events: RunnerEvents,
  compactAboveBytes = COMPACT_ABOVE_BYTES,
): Promise<Journal> {
  const path = join(dataDir, 'journal.jsonl')
  const ledger = createLedger()
  const size = await replay(path, log, (record) => ledger.apply(record))
  const file = await open(path, 'a', 0o600)
  return new Journal({ path, file, size, ledger, log, events, compactAboveBytes })
}

interface Opened {
  readonly path: string
  readonly file: FileHandle
  readonly size: number
  readonly ledger: MutableLedger
  readonly log: Log
  readonly events: RunnerEvents
  readonly compactAboveBytes: number
}

/**
 * The agent's memory across restarts: an append-only file. A record takes effect in `ledger` once it is on disk, in the
 * order of the calls, so the ledger never knows more than a restarted agent would.
 */
export class Journal {
  readonly #opened: Opened
  #file: FileHandle
  #size: number
  #compactAt: number
  #queue: Pending[] = []
  #flushing: Promise<void> | null = null
  /** Set by a failed write, which may have left half a line. */
  #torn = false

  constructor(opened: Opened) {
    this.#opened = opened
    this.#file = opened.file
    this.#size = opened.size
    this.#compactAt = Math.max(opened.compactAboveBytes, 2 * opened.size)
  }

  get ledger(): Ledger {
    return this.#opened.ledger
  }

  /**
   * Resolves once the record is on disk: true when it changed something. Calls made meanwhile share one fsync.
   * Throws `journal-unwritable`; the record then has no effect in this process.
   */
  write(record: JournalRecord): Promise<boolean> {
    const written = new Promise<boolean>((resolve, reject) => this.#queue.push({ record, resolve, reject }))
    this.#flushing ??= this.#flush()
    return written
  }

  /** Tests whether the journal is writable, by a record that changes nothing; an event reports the result. */
  async probe(): Promise<void> {
    await Promise.allSettled([this.write({ record: 'fence', fence: this.ledger.fence })])
  }

  forget(mayForget: (entry: Entry) => boolean): void {
    this.#opened.ledger.forget(mayForget)
  }

  async close(): Promise<void> {
    await this.#flushing
    await this.#file.close()
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      await this.#commit(batch)
    }
    this.#flushing = null
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const { path, events } = this.#opened
    try {
      await this.#append(batch.map(({ record }) => encodeJournalRecord(record)).join(''))
    } catch (cause) {
      const error = unwritable(path, cause)
      events.publish({ kind: 'part-checked', part: 'journal', problem: error.message })
      for (const { reject } of batch) reject(error)
      return
    }
    events.publish({ kind: 'part-checked', part: 'journal', problem: null })
    for (const { record, resolve } of batch) resolve(this.#take(record))
    if (this.#size > this.#compactAt) await this.#compact()
  }

  async #append(lines: string): Promise<void> {
    const text = this.#torn ? `\n${lines}` : lines
    this.#torn = true
    await this.#file.appendFile(text)
    await this.#file.datasync()
    this.#torn = false
    this.#size += Buffer.byteLength(text)
  }

  #take(record: JournalRecord): boolean {
    const { ledger, events } = this.#opened
    const changed = ledger.apply(record)
    const entry = 'runner' in record ? ledger.entries.get(record.runner) : undefined
    if (changed && entry !== undefined) events.publish({ kind: 'entry-changed', entry })
    return changed
  }

  /** A failure leaves a complete file, old or new; compaction is retried once the file has doubled. */
  async #compact(): Promise<void> {
    const { path, ledger, log, compactAboveBytes } = this.#opened
    try {
      const text = ledger.records().map(encodeJournalRecord).join('')
      const old = this.#file
      // The new file is in place from here on: write to it, even if a later step fails.
      this.#file = await replaceFile(path, text)
      this.#size = Buffer.byteLength(text)
      await old.close()
      await syncFolder(dirname(path))
    } catch (error) {
      log.emit({ name: 'journal.compaction-failed', reason: messageOf(error) })
    }
    this.#compactAt = Math.max(compactAboveBytes, 2 * this.#size)
  }
}

/** Passes every readable record to `take`; cuts off a torn tail. Resolves with the file's size. */
async function replay(path: string, log: Log, take: (record: JournalRecord) => void): Promise<number> {
  const text = await readOrEmpty(path)
  const end = text.lastIndexOf('\n') + 1
  if (end < text.length) {
    await truncate(path, Buffer.byteLength(text.slice(0, end)))
    log.emit({ name: 'journal.torn-tail-cut', path })
  }
  for (const [index, line] of text.slice(0, end).split('\n').entries()) {
    if (line === '') continue
    const record = decodeJournalLine(line)
    if (record === null) log.emit({ name: 'journal.line-unreadable', path, line: index + 1 })
    else take(record)
  }
  return Buffer.byteLength(text.slice(0, end))
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw new SlipwayError(
      'journal-unreadable',
      `The agent's journal ${path} cannot be read: ${messageOf(error)}.`,
      {
        cause: error,
      },
    )
  }
}

/** Replaces the content of the file atomically; resolves with the new file, open for appending. */
async function replaceFile(path: string, text: string): Promise<FileHandle> {
  const fresh = await writeBeside(path, text)
  const replaced = await open(fresh, 'a')
  try {
    await rename(fresh, path)
  } catch (thrown) {
    await replaced.close()
    throw thrown
  }
  return replaced
}

function unwritable(path: string, cause: unknown): SlipwayError {
  return new SlipwayError(
    'journal-unwritable',
    `The agent's journal ${path} cannot be written: ${messageOf(cause)}. Free disk space or repair its folder; until then this host takes no new runners.`,
    { cause },
  )
}
