import { SlipwayError } from '../../core/model/index.ts'
import type { AgentGateway } from '../../core/ports/index.ts'

/** Sends one signed request; resolves with its answer whatever the status. */
export type SignedFetch = (request: {
  readonly method: 'DELETE'
  readonly url: string
  readonly signal: AbortSignal
}) => Promise<Response>

/** One small call; whoever waits for it has other things to do. */
const CLOSE_MAX_MS = 5_000

/**
 * Ends agents' connections through API Gateway's connection management API, and nothing more: for a function that
 * posts no message, the SDK's client for it would be a twentieth of its bundle.
 */
export function createConnectionCloser(endpoint: string, send: SignedFetch): Pick<AgentGateway, 'close'> {
  return {
    async close(connection) {
      const url = `${endpoint.replace(/\/$/, '')}/@connections/${encodeURIComponent(connection)}`
      const answer = await send({ method: 'DELETE', url, signal: AbortSignal.timeout(CLOSE_MAX_MS) })
      await answer.body?.cancel()
      // 410: it is gone already.
      if (answer.ok || answer.status === 410) return
      throw new SlipwayError(
        'close-failed',
        `API Gateway answered ${answer.status} to closing connection ${connection}: check execute-api:ManageConnections.`,
      )
    },
  }
}
