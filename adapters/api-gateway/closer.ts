import { SlipwayError } from '../../core/model/index.ts'
import type { AgentGateway } from '../../core/ports/index.ts'

/** Sends one signed request; resolves with its answer whatever the status. */
export type SignedFetch = (request: {
  readonly method: 'DELETE'
  readonly url: string
  readonly signal: AbortSignal
}) => Promise<Response>

/** One small call: a caller should not wait longer for it. */
const CLOSE_MAX_MS = 5_000

/**
 * Closes agents' connections through API Gateway's connection management API. Without the SDK's client, which would be
 * a twentieth of the bundle of a function that only closes connections.
 */
export function createConnectionCloser(endpoint: string, send: SignedFetch): Pick<AgentGateway, 'close'> {
  return {
    async close(connection) {
      const url = `${endpoint.replace(/\/$/, '')}/@connections/${encodeURIComponent(connection)}`
      const answer = await send({ method: 'DELETE', url, signal: AbortSignal.timeout(CLOSE_MAX_MS) })
      await answer.body?.cancel()
      // 410: the connection is closed already.
      if (answer.ok || answer.status === 410) return
      throw new SlipwayError(
        'close-failed',
        `API Gateway answered ${answer.status} when closing connection ${connection}. Check the permission execute-api:ManageConnections.`,
      )
    },
  }
}
