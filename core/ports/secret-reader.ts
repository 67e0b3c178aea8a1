import type { Secret } from '../model/index.ts'

export interface SecretReader {
  /** Null: there is certainly no secret of that name. Throws when that is unknown. */
  readSecret(name: string): Promise<Secret | null>
}
