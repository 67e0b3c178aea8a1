import type { RunnerId } from '../ids.ts'
import { info, warn } from './definition.ts'

/** A sentence for the person at the terminal, which tells of no failure. */
interface Sentence {
  readonly text: string
}

/** Events of the `slipway` command itself. */
export const COMMAND_EVENTS = {
  'agent.preparing': info<Sentence>(),
  /** A container that a run of `slipway start` left behind. */
  'runner.left': warn<{ runner: RunnerId; state: string }>(),
  'settings.warning': warn<Sentence>(),
  'start.progress': info<Sentence>(),
  'templates.warning': warn<Sentence>(),
}
