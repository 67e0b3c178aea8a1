import * as z from 'zod'
import {
  TEMPLATE_VERSIONS_KEPT,
  type TemplateVersion,
  type TemplateVersionFacts,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { parseRecord } from '../../protocol/records.ts'
import { TemplateSchema } from '../../protocol/template.ts'
import type { GroupCommit } from './group-commit.ts'
import { fromJson, type Row } from './rows.ts'

type TemplateMethods = Pick<
  FleetStore,
  | 'readTemplatesVersion'
  | 'readTemplates'
  | 'getTemplateVersion'
  | 'listTemplateVersions'
  | 'putTemplateVersion'
>

const FactsRecord = z.object({ version: z.int().positive(), storedAt: z.number(), storedBy: z.string() })
const VersionRecord = z.object({
  ...FactsRecord.shape,
  text: z.string(),
  templates: z.array(TemplateSchema),
}) satisfies z.ZodType<TemplateVersion>

/** The current version is the newest one. */
export function templateMethods(connection: GroupCommit): TemplateMethods {
  const newest = connection.prepare('SELECT * FROM template_versions ORDER BY version DESC LIMIT 1')
  const newestNumber = connection.prepare(
    'SELECT coalesce(max(version), 0) AS version FROM template_versions',
  )
  const one = connection.prepare('SELECT * FROM template_versions WHERE version = ?')
  const list = connection.prepare(
    'SELECT version, stored_at, stored_by FROM template_versions ORDER BY version DESC LIMIT ?',
  )

  return {
    readTemplatesVersion: () => connection.read(() => Number(newestNumber.get()?.['version'])),
    readTemplates: () => connection.read(() => versionOf(newest.get())),
    getTemplateVersion: (version) => connection.read(() => versionOf(one.get(version))),
    listTemplateVersions: (limit) => connection.read(() => list.all(limit).map(factsOf)),
    putTemplateVersion: putMethod(connection),
  }
}

function putMethod(connection: GroupCommit): FleetStore['putTemplateVersion'] {
  const insert = connection.prepare(
    `INSERT INTO template_versions (version, stored_at, stored_by, text, templates)
     SELECT :after + 1, :storedAt, :storedBy, :text, :templates
     WHERE :after = (SELECT coalesce(max(version), 0) FROM template_versions)`,
  )
  const forgetOld = connection.prepare('DELETE FROM template_versions WHERE version <= ?')
  // A call whose answer was lost is repeated, and was done all the same.
  const repeat = connection.prepare(
    `SELECT 1 FROM template_versions
     WHERE version = :after + 1 AND version = (SELECT max(version) FROM template_versions)
       AND stored_at = :storedAt AND stored_by = :storedBy AND text = :text AND templates = :templates`,
  )

  return ({ storedAt, storedBy, text, templates }, after) =>
    connection.write(() => {
      const values = { after, storedAt, storedBy, text, templates: JSON.stringify(templates) }
      if (insert.run(values).changes !== 1) return repeat.get(values) !== undefined
      forgetOld.run(after + 1 - TEMPLATE_VERSIONS_KEPT)
      return true
    })
}

function factsOf({ version, stored_at: storedAt, stored_by: storedBy }: Row): TemplateVersionFacts {
  return parseRecord(FactsRecord, `Version ${String(version)} of the templates`, {
    version,
    storedAt,
    storedBy,
  })
}

function versionOf(row: Row | undefined): TemplateVersion | null {
  if (row === undefined) return null
  const { version, stored_at: storedAt, stored_by: storedBy, text, templates } = row
  const found = { version, storedAt, storedBy, text, templates: fromJson(templates) }
  return parseRecord(VersionRecord, `Version ${String(version)} of the templates`, found)
}
