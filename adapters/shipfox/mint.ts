import { messageOf } from '../../core/model/index.ts'
import { type Mint, type MintRequest, SourceError } from '../../core/ports/index.ts'
import { type BatchResult, refusing } from './mint-answers.ts'
import { mintV1 } from './mint-v1.ts'
import { mintV2 } from './mint-v2.ts'
import type { Session } from './session.ts'

/**
 * One answer per runner. A lost answer is not thrown but returned as `mint-unknown` for each of its runners, so that
 * the tokens of other batches are not lost with it. Throws only while nothing was minted at all; if a later batch
 * fails, the remaining runners are `mint-refused`.
 */
export async function mint(
  session: Session,
  request: MintRequest,
  signal: AbortSignal,
): Promise<readonly Mint[]> {
  const mintBatch = session.generation === 'v1' ? mintV1 : mintV2
  const { reservation, runners } = request
  const mints: Mint[] = []
  let size = session.limits.mintBatchMax
  while (mints.length < runners.length) {
    const batch = runners.slice(mints.length, mints.length + size)
    const result = await mintBatch(session, { reservation, runners: batch }, signal).catch(
      (thrown: unknown): BatchResult => {
        if (mints.length === 0 || !(thrown instanceof SourceError)) throw thrown
        return { mints: refusing(runners.slice(mints.length), 'mint-refused', messageOf(thrown)) }
      },
    )
    if ('mints' in result) mints.push(...result.mints)
    else size = result.batchMax
  }
  noteUnits(session, request, mints)
  return mints
}

function noteUnits({ units }: Session, { reservation, runners }: MintRequest, mints: readonly Mint[]): void {
  if (reservation === null) return
  const minted = new Set(mints.flatMap((answer) => (answer.ok ? [answer.runner] : [])))
  for (const { id, template } of runners) if (minted.has(id)) units.minted(reservation, id, template.key)
}
