import type { Settings } from '../config/index.ts'
import { type Secret, type SourceId, sourceId } from '../core/model/index.ts'

/** The addresses, token and protocol of a source, on this machine or elsewhere. */
export interface SourceAddress {
  readonly id: SourceId
  readonly apiUrl: string
  readonly runnerApiUrl: string
  readonly token: Secret
  readonly protocol: Extract<Settings['source'], { kind: 'shipfox' }>['protocol']
}

/** The address of the source in the settings. */
export function addressOf(
  { runnerApiUrl }: Settings,
  { apiUrl, token, protocol }: Extract<Settings['source'], { kind: 'shipfox' }>,
): SourceAddress {
  return { id: sourceId('shipfox'), apiUrl, runnerApiUrl: runnerApiUrl ?? apiUrl, token, protocol }
}
