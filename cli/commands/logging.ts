import type { Settings } from '../../config/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { createLog, jsonLine, lineOf, textLine } from '../../adapters/log/index.ts'
import type { CommandIo } from './io.ts'

/** The log of `slipway hub` and `slipway agent`: one line per event on stdout. */
export function openLog({ log }: Pick<Settings, 'log'>, { stdout }: Pick<CommandIo, 'stdout'>): Log {
  const format = log === 'json' ? jsonLine : textLine
  return createLog((entry) => stdout.write(`${format(lineOf(entry))}\n`))
}
