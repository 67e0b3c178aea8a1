import { messageOf } from '../../../core/model/index.ts'
import { errnoOf } from '../../../platform/errno.ts'
import { EngineError } from '../engine.ts'

/** Disk and permission errors that a retry does not fix. */
const LASTING = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENAMETOOLONG', 'ENOTDIR'])

/** Runs one method of the engine; whatever it throws becomes an EngineError. */
export async function asEngine<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof EngineError) throw thrown
    const lasting = LASTING.has(errnoOf(thrown) ?? '')
    const message = `The process engine could not ${doing}: ${messageOf(thrown)}`
    throw new EngineError(lasting ? 'refused' : 'unreachable', message, { cause: thrown })
  }
}
