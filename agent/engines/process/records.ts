import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { RunnerOrigin } from '../../../core/model/index.ts'
import { isErrno } from '../../../platform/errno.ts'
import type { EngineRunner } from '../engine.ts'
import { Limits, Origin, RunnerIdText } from '../origin.ts'
import { FILES } from './layout.ts'
import { isAlive } from './process-birth.ts'

const Birth = z.object({ pid: z.number().int().positive(), began: z.string() })

/** What is in a runner's folder from its creation on. Not its environment, which contains secrets. */
export const SpecRecord = z.object({
  install: z.string(),
  host: z.string(),
  runner: RunnerIdText,
  origin: Origin,
  limits: Limits,
  image: z.string(),
  createdAt: z.number(),
})
export type SpecRecord = Readonly<Omit<z.infer<typeof SpecRecord>, 'origin'>> & {
  readonly origin: RunnerOrigin
}

const StartedRecord = z.object({ runner: Birth, shim: Birth, startedAt: z.number(), bootId: z.string() })
export type StartedRecord = z.infer<typeof StartedRecord>

const ExitRecord = z.object({
  exitCode: z.number().nullable(),
  finishedAt: z.number(),
  logError: z.string().nullable(),
})
export type ExitRecord = z.infer<typeof ExitRecord>

/** Everything that is stored about one runner. */
export interface RunnerRecords {
  readonly spec: SpecRecord
  readonly started: StartedRecord | null
  readonly exit: ExitRecord | null
}

/** Null: no such runner, or removed meanwhile. Throws for an unreadable record. */
export async function readRecords(folder: string): Promise<RunnerRecords | null> {
  const spec = await readRecord(join(folder, FILES.spec), SpecRecord)
  if (spec === null) return null
  const started = await readRecord(join(folder, FILES.started), StartedRecord)
  const exit = await readRecord(join(folder, FILES.exit), ExitRecord)
  if (started === null || exit !== null || isAlive(started.shim)) return { spec, started, exit }
  // Its shim may have written the exit just before it ended.
  return { spec, started, exit: await readRecord(join(folder, FILES.exit), ExitRecord) }
}

/** The records as the port shows them. `bootId`: of the machine now; what ran before a restart has no known end. */
export function toEngineRunner({ spec, started, exit }: RunnerRecords, bootId: string): EngineRunner {
  const common = {
    runner: spec.runner,
    origin: spec.origin,
    ...spec.limits,
    createdAt: spec.createdAt,
    startedAt: started?.startedAt ?? null,
    finishedAt: exit?.finishedAt ?? null,
    exitCode: exit?.exitCode ?? null,
    oomKilled: false,
    error: null,
  }
  if (exit !== null) return { ...common, state: 'exited' }
  if (started === null) return { ...common, state: 'created' }
  if (started.bootId !== bootId) {
    return { ...common, state: 'dead', error: 'the machine restarted while it ran' }
  }
  // While its shim lives, an exit will still be recorded.
  if (isAlive(started.shim) || isAlive(started.runner)) return { ...common, state: 'running' }
  return { ...common, state: 'dead', error: 'it ended unseen, after the process that watched it was killed' }
}

async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return null
    throw thrown
  }
}
