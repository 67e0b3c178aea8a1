import type { Secret } from '../model/index.ts'

export interface SecretReader {
  /** Null: there surely is none of that name. Throws when nobody can tell. */
  readSecret(name: string): Promise<Secret | null>
}
