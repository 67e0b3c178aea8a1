import { type RunnerId, Secret } from '../../core/model/index.ts'
import { type Mint, type MintRequest, SourceError, type SourceFailureKind } from '../../core/ports/index.ts'
import type * as z from 'zod'
import type { Call } from './api.ts'
import {
  afterRefusal,
  afterSilence,
  type BatchResult,
  FreshTokens,
  type MintFailure,
  runnerEnv,
  type Runners,
} from './mint-answers.ts'
import type { Session } from './session.ts'
import { Attached, RunnerInstances } from './wire.ts'

/** Concurrent attachments: enough to hide the latency of a batch of ten, and few enough for any server. */
export const ATTACH_AT_ONCE = 10
/** Passed to runners as SHIPFOX_RUNNER_PROVIDER_KIND. */
const PROVIDER_KIND = 'docker'

type Instance = z.infer<typeof RunnerInstances>['runner_instances'][number]

/**
 * Runner instances, each attached to the id that Slipway chose for its runner. An instance that is not certainly
 * attached is never launched, because its reports would go to another record. Throws only while nothing was minted.
 */
export async function mintV2(
  session: Session,
  { reservation, runners }: MintRequest,
  signal: AbortSignal,
): Promise<BatchResult> {
  const call = toCall(session, reservation, runners)
  const result = await session.api.tryAsk(call, signal).catch((thrown: unknown) => ({ thrown }))
  if ('thrown' in result) return { mints: afterSilence(session, runners, result.thrown) }
  if ('refusal' in result) return { mints: afterRefusal(session, runners, result.refusal, call.does) }
  const { runner_instances: instances, reservation_unavailable: unavailable } = result.answered.value
  const byIndex = firstByIndex(instances)
  const mints = await mapLimited(runners, ATTACH_AT_ONCE, async (runner, index) => {
    const instance = byIndex.get(index)
    if (instance === undefined) return withoutInstance(runner.id, unavailable === true)
    const failure = await attach(session, instance.runner_instance_id, runner.id, signal)
    return failure ?? toMint(session, runner, instance)
  })
  return { mints }
}

function toCall(
  { options }: Session,
  reservation: string | null,
  runners: Runners,
): Call<z.infer<typeof RunnerInstances>> {
  return {
    does: 'mint runner instances',
    method: 'POST',
    path: '/provisioners/runner-instances/batch',
    body: {
      ...(options.providerKind === undefined ? {} : { provider_kind: options.providerKind }),
      runner_instances: runners.map(({ template }) => ({
        template_key: template.key,
        ...(reservation === null ? {} : { reservation_id: reservation }),
      })),
    },
    answer: RunnerInstances,
    effect: 'once',
  }
}

/** By index in the request. An instance or a token that the server sends twice is used once. */
function firstByIndex(instances: readonly Instance[]): ReadonlyMap<number, Instance> {
  const byIndex = new Map<number, Instance>()
  const fresh = new FreshTokens()
  for (const instance of instances)
    if (!byIndex.has(instance.request_index) && fresh.take(instance.bootstrap_token))
      byIndex.set(instance.request_index, instance)
  return byIndex
}

function withoutInstance(runner: RunnerId, unavailable: boolean): MintFailure {
  return unavailable
    ? {
        runner,
        ok: false,
        code: 'reservation-expired',
        reason: 'The reservation has expired or has no unit left.',
      }
    : {
        runner,
        ok: false,
        code: 'mint-unknown',
        reason: 'The server returned no instance for this runner and gave no reason.',
      }
}

/**
 * Null = attached: the runner may be launched. The server answers `true` only once per instance, so after a lost or
 * failed answer the call is repeated: `true` then proves that this id is attached. `false` then means that either the
 * first call attached it or the instance is gone; that is unknown, so the runner is not launched.
 */
async function attach(
  session: Session,
  instanceId: string,
  runner: RunnerId,
  signal: AbortSignal,
): Promise<MintFailure | null> {
  const first = await tryAttach(session, instanceId, runner, signal)
  const again = first.outcome === 'unknown' || first.outcome === 'unsent'
  const last = again ? await tryAttach(session, instanceId, runner, signal) : first
  if (last.outcome === 'attached') return null
  const unknown = first.outcome === 'unknown' || last.outcome === 'unknown'
  return { runner, ok: false, code: unknown ? 'mint-unknown' : 'mint-refused', reason: last.reason }
}

type Attachment =
  | { readonly outcome: 'attached' }
  /** `unknown`: may be attached. `unsent`: not attached, but a retry may succeed. `refused`: not attached, final. */
  | { readonly outcome: 'unknown' | 'unsent' | 'refused'; readonly reason: string }

async function tryAttach(
  { api }: Session,
  instanceId: string,
  runner: RunnerId,
  signal: AbortSignal,
): Promise<Attachment> {
  const call: Call<z.infer<typeof Attached>> = {
    does: 'attach a runner to its instance',
    method: 'POST',
    path: `/provisioners/runner-instances/${instanceId}/provider-runner`,
    body: { provider_runner_id: runner },
    answer: Attached,
    effect: 'once',
  }
  try {
    const { value } = await api.ask(call, signal)
    if (value.attached) return { outcome: 'attached' }
    return { outcome: 'refused', reason: 'The runner instance has ended or is already attached.' }
  } catch (thrown) {
    if (!(thrown instanceof SourceError)) throw thrown
    return { outcome: ATTACHMENT_AFTER[thrown.kind], reason: thrown.message }
  }
}

const ATTACHMENT_AFTER: Readonly<Record<SourceFailureKind, 'unknown' | 'unsent' | 'refused'>> = {
  unavailable: 'unsent',
  'unknown-outcome': 'unknown',
  // Usually an invalid answer: the call may have succeeded.
  protocol: 'unknown',
  unauthorized: 'refused',
  'rate-limited': 'refused',
}

function toMint(session: Session, { id, template }: Runners[number], instance: Instance): Mint {
  return {
    runner: id,
    ok: true,
    env: {
      ...runnerEnv(session, template),
      SHIPFOX_RUNNER_PROVIDER_KIND: session.options.providerKind ?? PROVIDER_KIND,
    },
    secretEnv: { SHIPFOX_RUNNER_BOOTSTRAP_TOKEN: new Secret(instance.bootstrap_token) },
  }
}

/** Results in the order of the items; at most `limit` run concurrently. */
async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const rest = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await work(item, index)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
