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
import type { Row, Rows } from './table-client.ts'
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
/** Packed, since a read is billed by the size of the item, and planners read the current one again and again. */
const VersionItem = z.object({ ...FactsItem.shape, packed: z.instanceof(Uint8Array) })
const Contents = z.object({ text: z.string(), templates: z.array(TemplateSchema) })

/**
 * One item holds the current version whole, and is the only one that decides. What it holds is kept under its number
 * before it is replaced: by whoever replaces it, with the same bytes whoever that is. So two writers can't mix their
 * versions, and a writer that dies in between leaves nothing to clear away.
 */
export function templateMethods(rows: Rows): TemplateMethods {
  return {
    async readTemplatesVersion() {
      const row = await rows.get(TEMPLATES_KEY)
      return row === null ? 0 : parseItem(FactsItem, row).version
    },

    readTemplates: async () => versionOf(await rows.get(TEMPLATES_KEY)),

    async getTemplateVersion(version) {
      const current = await rows.get(TEMPLATES_KEY)
      const isCurrent = current !== null && parseItem(FactsItem, current).version === version
      return versionOf(isCurrent ? current : await rows.get(templateVersionKey(version)))
    },

    async listTemplateVersions(limit) {
      const current = await rows.get(TEMPLATES_KEY)
      if (current === null) return []
      const newest = parseItem(FactsItem, current)
      const earlier: TemplateVersionFacts[] = []
      const pages = rows.query({
        condition: '#pk = :pk AND begins_with(#sk, :prefix)',
        values: { ':pk': TEMPLATES_KEY.pk, ':prefix': TEMPLATE_VERSION_PREFIX },
      })
      for await (const page of pages) for (const row of page) earlier.push(parseItem(FactsItem, row))
      // The current one may have been kept by somebody who is about to replace it.
      return [newest, ...earlier.filter(({ version }) => version < newest.version).toReversed()].slice(
        0,
        limit,
      )
    },

    async putTemplateVersion(given, after) {
      const version = after + 1
      const item = await itemOf(TEMPLATES_KEY, { ...given, version })
      const current = await rows.get(TEMPLATES_KEY)
      // Kept as it is: one whose contents can't be read must not keep its successor out.
      if (current !== null && parseItem(FactsItem, current).version === after)
        await rows.put({ ...current, ...templateVersionKey(after) })
      const condition = after === 0 ? 'attribute_not_exists(#pk)' : '#version = :after'
      const values = after === 0 ? {} : { values: { ':after': after } }
      if (!(await rows.put({ ...TEMPLATES_KEY, ...item }, { condition, ...values })))
        return isStored(rows, { ...given, version })
      await rows.remove(templateVersionKey(version - TEMPLATE_VERSIONS_KEPT))
      return true
    },
  }
}

/** Whether a refused write was done: its answer was lost, and the client's retry failed its condition (D1). */
async function isStored(rows: Rows, asked: TemplateVersion): Promise<boolean> {
  const found = await versionOf(await rows.get(TEMPLATES_KEY))
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
    throw new SlipwayError('store-item-corrupt', `Item ${pk}/${sk} can't be unpacked.`, { cause })
  }
}
