import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import { isErrno } from '../../platform/errno.ts'

interface Task {
  readonly kind: 'read' | 'write'
  /** Does the work; what it returns tells the caller. */
  readonly run: () => () => void
  readonly reject: (reason: unknown) => void
}

/**
 * One connection whose calls of one event-loop turn share one transaction, in the order in which they were made.
 *
 * The transaction begins, runs and commits without giving up the thread, so that no call ever sees uncommitted state,
 * and callers are answered after the commit: after the sync to disk. A call that fails is undone alone; where the
 * commit fails, every call of the turn fails, reads included, because they may have seen what was not kept.
 */
export class GroupCommit {
  readonly #db: DatabaseSync
  #tasks: Task[] = []

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql)
  }

  /** `work` runs synchronously, before the promise resolves; what it throws undoes what it wrote. */
  write<T>(work: () => T): Promise<T> {
    return this.#enqueue('write', work)
  }

  /** As `write`, for work that changes nothing: it waits for no lock. */
  read<T>(work: () => T): Promise<T> {
    return this.#enqueue('read', work)
  }

  /** Commits what is waiting, then closes the file. */
  close(): void {
    this.#commit()
    this.#db.close()
  }

  #enqueue<T>(kind: Task['kind'], work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = () => {
        const value = work()
        return () => resolve(value)
      }
      if (this.#tasks.length === 0) setImmediate(() => this.#commit())
      this.#tasks.push({ kind, run, reject })
    })
  }

  #commit(): void {
    const tasks = this.#tasks
    this.#tasks = []
    if (tasks.length === 0) return
    try {
      for (const answer of this.#transact(tasks)) answer()
    } catch (thrown) {
      for (const { reject } of tasks) reject(failure(thrown))
    }
  }

  #transact(tasks: readonly Task[]): readonly (() => void)[] {
    // A reader that turns into a writer midway could find that another process wrote in between: take the lock first.
    this.#db.exec(tasks.some(({ kind }) => kind === 'write') ? 'BEGIN IMMEDIATE' : 'BEGIN')
    try {
      const answers = tasks.map((task) => this.#runAlone(task))
      this.#db.exec('COMMIT')
      return answers
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw thrown
    }
  }

  #runAlone(task: Task): () => void {
    this.#db.exec('SAVEPOINT task')
    try {
      const answer = task.run()
      this.#db.exec('RELEASE task')
      return answer
    } catch (thrown) {
      // With a full or failing disk SQLite ends the whole transaction by itself: nothing is left to undo alone.
      if (!this.#db.isTransaction) throw thrown
      this.#db.exec('ROLLBACK TO task')
      this.#db.exec('RELEASE task')
      return () => task.reject(failure(thrown))
    }
  }
}

/** What SQLite throws says nothing of what to do; what our own code throws speaks for itself. */
function failure(thrown: unknown): unknown {
  if (!isErrno(thrown, 'ERR_SQLITE_ERROR', 'ERR_INVALID_STATE')) return thrown
  return new SlipwayError(
    'store-unavailable',
    `The database of the hub failed: ${messageOf(thrown)}. Look at the disk of the state folder; every call of the ` +
      'store may be repeated.',
    { cause: thrown },
  )
}
