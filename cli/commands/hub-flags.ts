import { SlipwayError } from '../../core/model/index.ts'
import type { CommandIo } from './io.ts'

/** What every command takes that asks a hub. */
export interface HubFlags {
  readonly hub?: string
  readonly json: boolean
}

export interface ChangeFlags extends HubFlags {
  readonly yes: boolean
}

/** True: go on. Throws `needs-yes` where there is nobody to ask. */
export async function confirmed(question: string, flags: ChangeFlags, io: CommandIo): Promise<boolean> {
  if (flags.yes) return true
  if (io.confirm !== null) return io.confirm(question)
  throw new SlipwayError(
    'needs-yes',
    `${question} Nobody can be asked here, so nothing was changed: add --yes to go on.`,
  )
}
