import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isErrno } from '../../../platform/errno.ts'

/** Of what follows the name in /proc/<pid>/stat: the state, and the start in ticks since boot (fields 3 and 22). */
const STATE_INDEX = 0
const START_INDEX = 19
/** `ps` answers in milliseconds. */
const PS_TIMEOUT_MS = 5_000

/** Identifies a process, also against a later one with the same pid. */
export interface ProcessBirth {
  readonly pid: number
  /** When it began, in whatever unit the machine tells: only ever compared. */
  readonly began: string
}

/** When a process began; null when there is none of that number. A zombie counts unless told otherwise. */
export function birthOf(pid: number): ProcessBirth | null {
  const found = process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
  return found === null ? null : { pid, began: found.began }
}

/** True while that process runs: not ended, not a zombie, not a later process with the same pid. */
export function isAlive(birth: ProcessBirth): boolean {
  const found = process.platform === 'linux' ? fromProc(birth.pid) : fromPs(birth.pid)
  return found !== null && !found.zombie && found.began === birth.began
}

/** The text of /proc/<pid>/stat → what we need of it. The name in parentheses may hold anything, even parentheses. */
export function parseStat(stat: string): { began: string; zombie: boolean } | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const began = fields[START_INDEX]
  return began === undefined ? null : { began, zombie: fields[STATE_INDEX] === 'Z' }
}

function fromProc(pid: number): { began: string; zombie: boolean } | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (thrown) {
    // Ended before the file was opened, or while it was read.
    if (isErrno(thrown, 'ENOENT', 'ESRCH')) return null
    throw thrown
  }
}

/** Machines without /proc tell the start to the second. */
function fromPs(pid: number): { began: string; zombie: boolean } | null {
  try {
    const options = { encoding: 'utf8', timeout: PS_TIMEOUT_MS } as const
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], options).trim()
    const [state = '', ...began] = line.split(/\s+/)
    return { began: began.join(' '), zombie: state.startsWith('Z') }
  } catch (thrown) {
    // It ends with 1 when there is no such process.
    if (thrown instanceof Error && 'status' in thrown && thrown.status === 1) return null
    throw thrown
  }
}
