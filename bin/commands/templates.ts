import type { Command } from 'commander'
import { renderTemplates, templatesAsJson } from '../../config/index.ts'
import { loadTemplates } from '../../local/start/templates.ts'
import { runCommand } from './run.ts'

export function addTemplatesCommand(program: Command): void {
  program
    .command('templates')
    .description('work with templates files')
    .command('validate')
    .argument('<file>', 'a templates file (YAML)')
    .option('--json', 'print the templates as JSON', false)
    .description('check a templates file and print what it expands to')
    .action((file: string, flags: { json: boolean }) => runCommand(() => validate(file, flags)))
}

async function validate(file: string, { json }: { json: boolean }): Promise<number> {
  const { templates, warnings } = await loadTemplates(file)
  for (const warning of warnings) console.error(`warning: ${warning}`)
  console.log(json ? JSON.stringify(templatesAsJson(templates), null, 2) : renderTemplates(templates))
  return 0
}
