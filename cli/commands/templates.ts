import { basename } from 'node:path'
import { renderTemplates, templatesAsJson } from '../../config/index.ts'
import {
  type ApplyRequest,
  ChangeAnswer,
  TemplatesAnswer,
  TemplateVersionsAnswer,
  type UndoRequest,
} from '../../protocol/hub-api.ts'
import { type HubClient, openHubClient } from '../hub-client/client.ts'
import { loadTemplates, readTemplatesFile } from '../start/templates.ts'
import { type ChangeFlags, confirmed, type HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { asJson, clockTime, printable, table } from './print.ts'

/** `slipway templates validate FILE`: prints the expanded templates. Throws ConfigError with all issues of the file. */
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

/** `slipway templates apply FILE`: shows what would change, asks, and puts the file into force. */
export async function applyCommand(file: string, flags: ChangeFlags, io: CommandIo): Promise<number> {
  const text = await readTemplatesFile(file)
  const request = { text, file: basename(file) } satisfies Partial<ApplyRequest>
  return change({ path: '/api/templates/apply', request, question: `Put ${file} into force?` }, flags, io)
}

/** `slipway templates undo`: puts an earlier version back into force, stored as a new version. */
export async function undoCommand(
  flags: ChangeFlags & { readonly to?: number },
  io: CommandIo,
): Promise<number> {
  const { to = null } = flags
  const request = { to } satisfies Partial<UndoRequest>
  const which = to === null ? 'the version before the current one' : `version ${to}`
  return change(
    { path: '/api/templates/undo', request, question: `Put ${which} back into force?` },
    flags,
    io,
  )
}

interface Change {
  readonly path: string
  readonly request: Readonly<Record<string, unknown>>
  readonly question: string
}

async function change(
  { path, request, question }: Change,
  flags: ChangeFlags,
  io: CommandIo,
): Promise<number> {
  const hub = openHubClient(flags, io)
  const planned = await hub.post(path, { ...request, basedOn: null }, ChangeAnswer)
  for (const warning of planned.warnings) io.stderr.write(`warning: ${printable(warning)}\n`)
  if (planned.difference.length === 0) return conclude(planned, flags, io)
  if (!flags.json) io.stdout.write(planned.difference.map((line) => `${printable(line)}\n`).join(''))
  if (!(await confirmed(question, flags, io))) {
    io.stderr.write('Nothing was changed.\n')
    return 1
  }
  const done = await hub.post(path, { ...request, basedOn: planned.version }, ChangeAnswer)
  return conclude(done, flags, io)
}

function conclude(answer: ChangeAnswer, { json }: ChangeFlags, { stdout }: CommandIo): number {
  const { version, stored, templates } = answer
  if (json) stdout.write(asJson(answer))
  else if (stored)
    stdout.write(
      `Version ${version} is in force: ${templates} ${templates === 1 ? 'template' : 'templates'}.\n`,
    )
  else stdout.write(`Nothing changed: version ${version} stays in force.\n`)
  return 0
}

/** `slipway templates list`: the templates in force, and all stored versions. */
export async function listVersionsCommand(flags: HubFlags, io: CommandIo): Promise<number> {
  const hub = openHubClient(flags, io)
  const { versions, current } = await readVersions(hub)
  if (flags.json) {
    const { version, fixedBy, templates } = current
    io.stdout.write(asJson({ version, fixedBy, templates, versions }))
    return 0
  }
  if (current.fixedBy !== null)
    io.stderr.write(`The templates of this hub come from ${printable(current.fixedBy)}.\n`)
  else if (versions.length === 0)
    io.stderr.write('No templates are stored yet. Store some: slipway templates apply FILE\n')
  const rows = versions.map(({ version, storedAt, storedBy }) => {
    return [String(version), clockTime(storedAt), storedBy, version === current.version ? 'in force' : '']
  })
  if (rows.length > 0) io.stdout.write(`${table(['VERSION', 'STORED AT', 'BY', ''], rows)}\n`)
  if (current.templates.length > 0) io.stdout.write(renderTemplates(current.templates))
  return 0
}

async function readVersions(hub: HubClient) {
  const [current, { versions }] = await Promise.all([
    hub.get('/api/templates', TemplatesAnswer),
    hub.get('/api/templates/versions', TemplateVersionsAnswer),
  ])
  return { current, versions }
}
