import { SlipwayError } from '../../core/model/index.ts'
import type { CommandIo } from './io.ts'

/** The flags of every command that queries a hub. */
export interface HubFlags {
  readonly hub?: string
  readonly json: boolean
}

export interface ChangeFlags extends HubFlags {
  readonly yes: boolean
}

/** True if the user confirmed. Throws `needs-yes` when there is no terminal to ask on. */
export async function confirmed(question: string, flags: ChangeFlags, io: CommandIo): Promise<boolean> {
  if (flags.yes) return true
  if (io.confirm !== null) return io.confirm(question)
  throw new SlipwayError(
    'needs-yes',
    `${question} There is no terminal to ask on, so nothing was changed. Add --yes to confirm.`,
  )
}
