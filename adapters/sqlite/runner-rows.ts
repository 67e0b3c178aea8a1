import type { Runner } from '../../core/model/index.ts'
import { parseRecord, RunnerRecord } from '../../protocol/records.ts'
import { fromJson, type Row } from './rows.ts'

/** What a runner has in some states only. */
const NOTHING_OF_ITS_STATE = {
  epoch: null,
  dispatchedAt: null,
  startedAt: null,
  outcome: null,
  code: null,
  reason: null,
  exitCode: null,
  goneAt: null,
}

/** Throws `store-item-corrupt` where the row can't be read. */
export function runnerOf(row: Row): Runner {
  return parseRecord(RunnerRecord, `Runner ${String(row['id'])} of host "${String(row['host'])}"`, {
    state: row['state'],
    id: row['id'],
    template: row['template'],
    host: row['host'],
    source: row['source'],
    labels: fromJson(row['labels']),
    reservation: both({ id: row['reservation_id'], expiresAt: row['reservation_expires_at'] }),
    reservedAt: row['reserved_at'],
    stop: both({ reason: row['stop_reason'], requestedAt: row['stop_requested_at'] }),
    cpuMillis: row['cpu_millis'],
    memoryMib: row['memory_mib'],
    epoch: row['epoch'],
    dispatchedAt: row['dispatched_at'],
    startedAt: row['started_at'],
    outcome: row['outcome'],
    code: row['code'],
    reason: row['reason'],
    exitCode: row['exit_code'],
    goneAt: row['gone_at'],
  })
}

/** The values of the columns of `INSERT_RUNNER`. */
export function columnsOf({ labels, reservation, stop, ...runner }: Runner) {
  return {
    ...NOTHING_OF_ITS_STATE,
    ...runner,
    labels: JSON.stringify(labels),
    reservationId: reservation?.id ?? null,
    reservationExpiresAt: reservation?.expiresAt ?? null,
    stopReason: stop?.reason ?? null,
    stopRequestedAt: stop?.requestedAt ?? null,
  }
}

export const INSERT_RUNNER = `
  INSERT INTO runners (host, id, state, template, source, labels, cpu_millis, memory_mib, reservation_id,
    reservation_expires_at, reserved_at, stop_reason, stop_requested_at, epoch, dispatched_at, started_at, outcome,
    code, reason, exit_code, gone_at, changed_at)
  VALUES (:host, :id, :state, :template, :source, :labels, :cpuMillis, :memoryMib, :reservationId,
    :reservationExpiresAt, :reservedAt, :stopReason, :stopRequestedAt, :epoch, :dispatchedAt, :startedAt, :outcome,
    :code, :reason, :exitCode, :goneAt, :now)
  ON CONFLICT (host, id) DO NOTHING`

/** A fact that is stored in two columns: absent where both are. */
function both(fact: Row | Readonly<Record<string, unknown>>): unknown {
  return Object.values(fact).every((value) => value === null) ? null : fact
}
