import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as z from 'zod'
import { messageOf, SlipwayError } from '../core/model/errors.ts'
import { writeDurablySync } from '../platform/durable-file.ts'
import type { RowChange } from './rules/table.ts'
import type { World } from './rules/world.ts'

const FILE_NAME = 'sandbox.journal'
/** The journal is compacted once it has grown by this factor and to at least this size. */
const COMPACT_GROWTH = 4
const COMPACT_MIN_BYTES = 16 * 1024 * 1024

const Header = z.strictObject({
  format: z.literal('slipway-sandbox'),
  version: z.literal(1),
  protocol: z.enum(['v1', 'v2']),
})
const Change = z.tuple([z.string(), z.string(), z.union([z.looseObject({ id: z.string() }), z.null()])])
const Changes = z.array(Change)

/** Stores the changes of a world between two runs. */
export type Journal = {
  /** Makes the world's changes durable, all or none; after it returns, killing the process can't undo them. */
  commit(world: World): void
  close(): void
}

/** Stores nothing. */
export function forgetfulJournal(): Journal {
  return { commit: (world) => void world.takeChanges(), close: () => undefined }
}

/**
 * Opens the journal in the folder and restores its rows into the (empty) world. Each line has a checksum and the changes
 * of one commit. An incomplete last line is dropped, because its commit was never answered; any other damage throws
 * `sandbox-journal-corrupt`, and data of the other generation throws `sandbox-journal-protocol`.
 */
export function openJournal(dataDir: string, world: World): Journal {
  mkdirSync(dataDir, { recursive: true })
  const file = join(dataDir, FILE_NAME)
  if (existsSync(file)) replay(file, world)
  return new FileJournal(file, world)
}

class FileJournal implements Journal {
  readonly #file: string
  #fd: number
  #bytes = 0
  #compactedBytes = 0
  #closed = false
  #unwritten: RowChange[] = []

  constructor(file: string, world: World) {
    this.#file = file
    this.#fd = this.#compact(world)
  }

  commit(world: World): void {
    this.#unwritten.push(...world.takeChanges())
    if (this.#unwritten.length === 0) return
    if (this.#closed)
      throw new SlipwayError('sandbox-closed', 'The sandbox is closed. Start it again to use it.')
    this.#append(encodeLine(this.#unwritten))
    this.#unwritten = []
    if (this.#bytes < Math.max(COMPACT_MIN_BYTES, COMPACT_GROWTH * this.#compactedBytes)) return
    closeSync(this.#fd)
    this.#fd = this.#compact(world)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }

  /** After a partial write, truncates the file again; the changes stay for the next commit. */
  #append(line: Buffer): void {
    try {
      appendFileSync(this.#fd, line)
      this.#bytes += line.length
    } catch (error) {
      ftruncateSync(this.#fd, this.#bytes)
      const what = `Could not write ${this.#file}: ${messageOf(error)}. Free some space. No data is lost.`
      throw new SlipwayError('sandbox-journal-write', what, { cause: error })
    }
  }

  /** Writes the current rows to a new file, replaces the old file by it, and opens it for appending. */
  #compact(world: World): number {
    const header = { format: 'slipway-sandbox', version: 1, protocol: world.protocol }
    const lines = [encodeLine(header)]
    for (const change of world.snapshot()) lines.push(encodeLine([change]))
    const content = Buffer.concat(lines)
    writeDurablySync(this.#file, content)
    const fd = openSync(this.#file, 'a')
    this.#bytes = content.length
    this.#compactedBytes = content.length
    return fd
  }
}

function encodeLine(value: unknown): Buffer {
  const json = JSON.stringify(value)
  return Buffer.from(`${checksum(json)} ${json}\n`)
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, '0')

function replay(file: string, world: World): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  lines.pop() // after the last newline: nothing, or an incomplete commit
  if (lines.length === 0) throw corrupt(`${file}:1`)
  for (const [index, line] of lines.entries()) {
    const where = `${file}:${index + 1}`
    const value = decodeLine(line, where)
    if (index === 0) checkHeader(value, world, where)
    else for (const change of parsed(Changes, value, where)) if (!world.restore(change)) throw corrupt(where)
  }
}

function decodeLine(line: string, where: string): unknown {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${checksum(json)} `) throw corrupt(where)
  return JSON.parse(json)
}

function checkHeader(value: unknown, world: World, where: string): void {
  const { protocol } = parsed(Header, value, where)
  if (protocol === world.protocol) return
  throw new SlipwayError(
    'sandbox-journal-protocol',
    `${where} has data of a ${protocol} sandbox, but ${world.protocol} was requested. Use a separate folder for each.`,
  )
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value)
  if (!result.success) throw corrupt(where, result.error)
  return result.data
}

function corrupt(where: string, cause?: unknown): SlipwayError {
  const what = `${where} is damaged. To start with an empty sandbox, move the file away; its jobs are lost.`
  return new SlipwayError('sandbox-journal-corrupt', what, { cause })
}
