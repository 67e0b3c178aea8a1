import { messageOf, type LaunchOrder, type ReportedEnd, type RunnerId } from '../../core/model/index.ts'
import { EngineError, type Engine, type EngineRunner, type RunnerSpec } from '../engines/engine.ts'
import { failed } from './exit-reasons.ts'

/** Result of an attempt. `unknown`: the engine did not answer; only a later inspect can tell. */
export type Attempt =
  | { readonly kind: 'started'; readonly seen: EngineRunner }
  | { readonly kind: 'failed'; readonly end: ReportedEnd }
  | { readonly kind: 'image-missing' }
  | { readonly kind: 'unknown' }

const UNKNOWN: Attempt = { kind: 'unknown' }

/** Called right before the start: why the runner must no longer be started; null = it may. */
export type Objection = () => ReportedEnd | null

/**
 * Creates one runner's container and starts it, each at most once: a create that timed out may still happen (K2), and
 * a repeat would use the single-use token again (R3), so the container is looked up by its name instead. A container
 * whose reservation has expired by then is not started (R2).
 */
export async function createAndStart(
  engine: Engine,
  order: LaunchOrder,
  objection: Objection,
): Promise<Attempt> {
  const { runner } = order
  try {
    const created = await engine.create(specOf(order))
    if (created === 'existed') return await resume(engine, runner, objection)
    return await start(engine, runner, objection)
  } catch (error) {
    const failure = engineFailure(error)
    if (failure.kind === 'unreachable') return resume(engine, runner, objection)
    if (failure.kind === 'not-found') return { kind: 'image-missing' }
    return engineFailed('create', failure)
  }
}

async function start(engine: Engine, runner: RunnerId, objection: Objection): Promise<Attempt> {
  const end = objection()
  if (end !== null) return { kind: 'failed', end }
  try {
    return startedOrNot(await engine.start(runner))
  } catch (error) {
    const failure = engineFailure(error)
    if (failure.kind !== 'unreachable') return engineFailed('start', failure)
    const seen = await inspectOrNull(engine, runner)
    return seen === null ? UNKNOWN : startedOrNot(seen)
  }
}

/** Continues with an existing container, from a create whose answer was lost. */
async function resume(engine: Engine, runner: RunnerId, objection: Objection): Promise<Attempt> {
  const seen = await inspectOrNull(engine, runner)
  if (seen === null) return UNKNOWN
  return seen.state === 'created' ? start(engine, runner, objection) : startedOrNot(seen)
}

function startedOrNot(seen: EngineRunner): Attempt {
  return seen.startedAt === null ? UNKNOWN : { kind: 'started', seen }
}

/** Null: absent, or the engine could not be asked. */
async function inspectOrNull(engine: Engine, runner: RunnerId): Promise<EngineRunner | null> {
  try {
    return await engine.inspect(runner)
  } catch (error) {
    engineFailure(error)
    return null
  }
}

function engineFailure(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  throw error
}

function engineFailed(step: 'create' | 'start', failure: EngineError): Attempt {
  const reason = `The engine could not ${step} the container: ${messageOf(failure)}`
  return { kind: 'failed', end: failed('engine-failed', reason) }
}

function specOf(order: LaunchOrder): RunnerSpec {
  const { runner, origin, image, isolation, env, secretEnv, startDeadlineMs, maxLifetimeMs, stopTimeoutMs } =
    order
  return { runner, origin, image, isolation, env, secretEnv, startDeadlineMs, maxLifetimeMs, stopTimeoutMs }
}
