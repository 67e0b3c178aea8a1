import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import * as z from 'zod'
import {
  SlipwayError,
  TEMPLATE_VERSIONS_KEPT,
  type TemplateVersion,
  type TemplateVersionFacts,
} from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { TemplateSchema } from '../../protocol/template.ts'
import { parseItem } from './items.ts'
import { type Key, TEMPLATE_VERSION_PREFIX, TEMPLATES_KEY, templateVersionKey } from './keys.ts'
import type { Row, TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'

type TemplateMethods = Pick<
  FleetStore,
  | 'readTemplatesVersion'
  | 'readTemplates'
  | 'getTemplateVersion'
  | 'listTemplateVersions'
  | 'putTemplateVersion'
>

const pack = promisify(deflate)
const unpack = promisify(inflate)

const FactsItem = z.object({ version: z.int().positive(), storedAt: z.number(), storedBy: z.string() })
/** Compressed, because a read is billed by the size of the item, and planners read the current version often. */
const VersionItem = z.object({ ...FactsItem.shape, packed: z.instanceof(Uint8Array) })
const Contents = z.object({ text: z.string(), templates: z.array(TemplateSchema) })

/**
 * One item holds the current version and is the only one that decides. Before a writer replaces it, the writer copies it
 * to an item with its version number; every writer would copy the same bytes. So two writers can't mix their versions,
 * and a writer that crashes in between leaves nothing to clean up.
 */
export function templateMethods(table: TableClient): TemplateMethods {
  return {
    async readTemplatesVersion() {
      const row = await table.get(TEMPLATES_KEY)
      return row === null ? 0 : parseItem(FactsItem, row).version
    },

    readTemplates: async () => versionOf(await table.get(TEMPLATES_KEY)),

    async getTemplateVersion(version) {
      const current = await table.get(TEMPLATES_KEY)
      const isCurrent = current !== null && parseItem(FactsItem, current).version === version
      return versionOf(isCurrent ? current : await table.get(templateVersionKey(version)))
    },

    async listTemplateVersions(limit) {
      const current = await table.get(TEMPLATES_KEY)
      if (current === null) return []
      const newest = parseItem(FactsItem, current)
      const earlier: TemplateVersionFacts[] = []
      const pages = table.query({
        condition: '#pk = :pk AND begins_with(#sk, :prefix)',
        values: { ':pk': TEMPLATES_KEY.pk, ':prefix': TEMPLATE_VERSION_PREFIX },
      })
      for await (const page of pages) for (const row of page) earlier.push(parseItem(FactsItem, row))
      // A writer that is about to replace the current version may have copied it already.
      return [newest, ...earlier.filter(({ version }) => version < newest.version).toReversed()].slice(
        0,
        limit,
      )
    },

    async putTemplateVersion(given, after) {
      const version = after + 1
      const item = await itemOf(TEMPLATES_KEY, { ...given, version })
      const current = await table.get(TEMPLATES_KEY)
      // Copied without parsing its contents: damaged contents must not block the next version.
      if (current !== null && parseItem(FactsItem, current).version === after)
        await table.put({ ...current, ...templateVersionKey(after) })
      const condition = after === 0 ? 'attribute_not_exists(#pk)' : '#version = :after'
      const values = after === 0 ? {} : { values: { ':after': after } }
      if (!(await table.put({ ...TEMPLATES_KEY, ...item }, { condition, ...values })))
        return isStored(table, { ...given, version })
      await table.remove(templateVersionKey(version - TEMPLATE_VERSIONS_KEPT))
      return true
    },
  }
}

/** D1: when the answer of a write is lost, the retry fails its condition although the first write succeeded. */
async function isStored(table: TableClient, asked: TemplateVersion): Promise<boolean> {
  const found = await versionOf(await table.get(TEMPLATES_KEY))
  return (
    found?.version === asked.version &&
    found.storedAt === asked.storedAt &&
    found.storedBy === asked.storedBy &&
    found.text === asked.text
  )
}

async function itemOf(key: Key, { version, storedAt, storedBy, text, templates }: TemplateVersion) {
  const packed = await pack(JSON.stringify({ text, templates }))
  const item = VersionItem.parse({ version, storedAt, storedBy, packed })
  assertFits('templates', key, item)
  return item
}

async function versionOf(row: Row | null): Promise<TemplateVersion | null> {
  if (row === null) return null
  const { packed, ...facts } = parseItem(VersionItem, row)
  const { pk, sk } = row
  const { text, templates } = parseItem(Contents, { pk, sk, ...Object(await contentsOf(row, packed)) })
  return { ...facts, text, templates }
}

async function contentsOf({ pk, sk }: Row, packed: Uint8Array): Promise<unknown> {
  try {
    return JSON.parse(String(await unpack(packed)))
  } catch (cause) {
    throw new SlipwayError(
      'store-item-corrupt',
      `Item ${pk}/${sk} can't be decompressed: it is damaged. Store the templates again.`,
      { cause },
    )
  }
}
