import * as z from 'zod'
import { type EpochMs, type HostId, type ImageState, SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { ImageRecord } from '../../protocol/records.ts'
import { parseItem } from './items.ts'
import { imagesKey } from './keys.ts'
import type { TableClient } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { SET_CHANGE_MARK, changeMark, changeMarkValues } from './change-index.ts'

/** Images per write: DynamoDB limits an expression to 4 KB. */
const IMAGES_PER_WRITE = 100
/**
 * A host reports its images in every session, so the item would collect every tag that was ever used. Above this
 * number, the images reported longest ago are removed, down to half.
 */
const IMAGES_MAX = 500
/** Other writers may create or fill the item between two writes: a few rounds are enough. */
const ROUNDS_MAX = 5

export function imageMethods(table: TableClient): Pick<FleetStore, 'mergeImages'> {
  return {
    async mergeImages({ host, images, now }) {
      const entries = [...images]
      for (let from = 0; from < entries.length; from += IMAGES_PER_WRITE) {
        await mergeSome(table, host, entries.slice(from, from + IMAGES_PER_WRITE), now)
      }
    },
  }
}

/** Like `ImagesRecord`, with the time of each image's last report, which only this file uses. */
const DatedImagesItem = z.object({
  images: z.record(z.string(), z.looseObject({ toldAt: z.number() })),
  revision: z.number(),
})

type Entries = readonly (readonly [image: string, state: ImageState])[]

async function mergeSome(table: TableClient, host: HostId, entries: Entries, now: EpochMs): Promise<void> {
  const key = imagesKey(host)
  const images = Object.fromEntries(
    entries.map(([image, state]) => [image, { ...ImageRecord.parse(state), toldAt: now }]),
  )
  assertFits('images', key, images)
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if (await addTo(table, host, images, now)) return
    // As for hosts: above the revision of a removed host of this name.
    const first = { ...key, host, images, revision: Math.floor(now), ...changeMark(now) }
    if (await table.put(first, { condition: 'attribute_not_exists(#pk)' })) return
    await forgetOldest(table, host)
  }
  throw new SlipwayError(
    'store-unavailable',
    `The images item of host "${host}" was changed by others in ${ROUNDS_MAX} attempts. It is safe to try again.`,
  )
}

/** False if there is no item yet, or it is full. */
function addTo(
  table: TableClient,
  host: HostId,
  images: Readonly<Record<string, unknown>>,
  now: EpochMs,
): Promise<boolean> {
  const named = Object.entries(images)
  return table.write(imagesKey(host), {
    update: `SET ${named.map((_, at) => `#images.#i${at} = :i${at}`).join(', ')}, ${SET_CHANGE_MARK} ADD #revision :one`,
    condition: 'size(#images) < :max',
    values: {
      ...Object.fromEntries(named.map(([, state], at) => [`:i${at}`, state])),
      ...changeMarkValues(now),
      ':one': 1,
      ':max': IMAGES_MAX,
    },
    names: Object.fromEntries(named.map(([image], at) => [`#i${at}`, image])),
  })
}

/** Does nothing if the item is not full, or another writer changes it at the same time. */
async function forgetOldest(table: TableClient, host: HostId): Promise<void> {
  const row = await table.get(imagesKey(host))
  if (row === null) return
  const { revision, images } = parseItem(DatedImagesItem, row)
  const entries = Object.entries(images)
  if (entries.length < IMAGES_MAX) return
  const newest = entries
    .toSorted(([, left], [, right]) => right.toldAt - left.toldAt)
    .slice(0, IMAGES_MAX / 2)
  await table.write(imagesKey(host), {
    update: 'SET #images = :images ADD #revision :one',
    condition: '#revision = :revision',
    values: { ':images': Object.fromEntries(newest), ':one': 1, ':revision': revision },
  })
}
