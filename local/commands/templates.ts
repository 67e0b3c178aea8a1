import { renderTemplates, templatesAsJson } from '../../config/index.ts'
import { loadTemplates } from '../start/templates.ts'
import type { CommandIo } from './io.ts'

/** `slipway templates validate FILE`: what the file expands to; throws every mistake in it at once. */
export async function validateCommand(
  file: string,
  flags: { json: boolean },
  io: CommandIo,
): Promise<number> {
  const { templates, warnings } = await loadTemplates(file)
  for (const warning of warnings) io.stderr.write(`warning: ${warning}\n`)
  io.stdout.write(flags.json ? templatesAsJson(templates) : renderTemplates(templates))
  return 0
}
