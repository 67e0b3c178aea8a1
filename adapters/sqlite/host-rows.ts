import type { StatementSync } from 'node:sqlite'
import type { Host, HostId } from '../../core/model/index.ts'
import { HostRecord, parseRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import { fromJson, type Row } from './rows.ts'

/** What every change of a host sets beside its own columns, so that readers learn of it. */
export const HOST_CHANGED = 'revision = revision + 1, changed_at = :now'

/** Reads a host with what it holds. Throws `store-item-corrupt` where a row of it can't be read. */
export class HostReader {
  readonly #host: StatementSync
  readonly #slots: StatementSync
  readonly #backoffs: StatementSync

  constructor(connection: GroupCommit) {
    this.#host = connection.prepare('SELECT * FROM hosts WHERE id = ?')
    this.#slots = connection.prepare('SELECT * FROM slots WHERE host = ?')
    this.#backoffs = connection.prepare('SELECT * FROM backoffs WHERE host = ?')
  }

  read(id: HostId): Host | null {
    const row = this.#host.get(id)
    return row === undefined ? null : this.complete(row)
  }

  /** The host of a row of `hosts`. */
  complete(row: Row): Host {
    const id = row['id'] ?? null
    return hostOf(row, this.#slots.all(id), this.#backoffs.all(id))
  }
}

export function hostOf(row: Row, slots: readonly Row[], backoffs: readonly Row[]): Host {
  return parseRecord(HostRecord, `Host "${String(row['id'])}"`, {
    id: row['id'],
    tags: fromJson(row['tags']),
    tokenHash: row['token_hash'],
    state: row['state'],
    stateSince: row['state_since'],
    epoch: row['epoch'],
    connection: row['connection'],
    install: row['install'],
    fence: row['fence'],
    capacity: { runners: row['max_runners'], cpuMillis: row['cpu_millis'], memoryMib: row['memory_mib'] },
    accepting: flagOf(row['accepting']),
    notAcceptingReason: row['not_accepting_reason'],
    slots: Object.fromEntries(slots.map((slot) => [String(slot['runner']), slotOf(slot)])),
    backoffs: Object.fromEntries(
      backoffs.map((backoff) => [String(backoff['template']), backoffOf(backoff)]),
    ),
    revision: row['revision'],
  })
}

/** Anything but 0 and 1 is left for the record's shape to refuse. */
function flagOf(value: unknown): unknown {
  return value === 0 || value === 1 ? value === 1 : value
}

function slotOf({ template, cpu_millis: cpuMillis, memory_mib: memoryMib }: Row) {
  return { template, cpuMillis, memoryMib }
}

function backoffOf({ failures, until }: Row) {
  return { failures, until }
}
