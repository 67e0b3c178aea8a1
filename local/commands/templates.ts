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
  const text = flags.json ? JSON.stringify(templatesAsJson(templates), null, 2) : renderTemplates(templates)
  io.stdout.write(`${text}\n`)
  return 0
}
