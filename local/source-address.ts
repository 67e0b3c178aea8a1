import type { Settings } from '../config/index.ts'
import { type Secret, type SourceId, sourceId } from '../core/model/index.ts'

/** What serving a source needs to know, wherever the source is. */
export interface SourceAddress {
  readonly id: SourceId
  readonly apiUrl: string
  readonly runnerApiUrl: string
  readonly token: Secret
  readonly protocol: Extract<Settings['source'], { kind: 'shipfox' }>['protocol']
}

/** Where the settings' own source is. */
export function addressOf(
  { runnerApiUrl }: Settings,
  { apiUrl, token, protocol }: Extract<Settings['source'], { kind: 'shipfox' }>,
): SourceAddress {
  return { id: sourceId('shipfox'), apiUrl, runnerApiUrl: runnerApiUrl ?? apiUrl, token, protocol }
}
