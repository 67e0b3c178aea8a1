import * as z from 'zod'
import { type EpochMs, type HostId, type ImageState, SlipwayError } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { ImageItem, parseItem } from './items.ts'
import { imagesKey } from './keys.ts'
import type { Rows } from './table-client.ts'
import { assertFits } from './sizes.ts'
import { SET_TOLD, told, toldValues } from './change-index.ts'

/** Images of one write: DynamoDB takes at most 4 KB of expression. */
const IMAGES_PER_WRITE = 100
/**
 * A host tells the images that its templates use at every session, and the item would keep every tag that it ever
 * had. Beyond this many, those that were told longest ago are forgotten, down to half.
 */
const IMAGES_MAX = 500
/** Between its first write and its last, other writers may make the item, or fill it: a few rounds settle that. */
const ROUNDS_MAX = 5

export function imageMethods(rows: Rows): Pick<FleetStore, 'mergeImages'> {
  return {
    async mergeImages({ host, images, now }) {
      const entries = [...images]
      for (let from = 0; from < entries.length; from += IMAGES_PER_WRITE) {
        await mergeSome(rows, host, entries.slice(from, from + IMAGES_PER_WRITE), now)
      }
    },
  }
}

/** As `ImagesItem`, with the time at which each image was told, which only this file looks at. */
const DatedImagesItem = z.object({
  images: z.record(z.string(), z.looseObject({ toldAt: z.number() })),
  revision: z.number(),
})

type Entries = readonly (readonly [image: string, state: ImageState])[]

async function mergeSome(rows: Rows, host: HostId, entries: Entries, now: EpochMs): Promise<void> {
  const key = imagesKey(host)
  const images = Object.fromEntries(
    entries.map(([image, state]) => [image, { ...ImageItem.parse(state), toldAt: now }]),
  )
  assertFits('images', key, images)
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if (await addTo(rows, host, images, now)) return
    // As a host's: above what readers may know of a host of this name that was removed.
    const first = { ...key, host, images, revision: Math.floor(now), ...told(now) }
    if (await rows.put(first, { condition: 'attribute_not_exists(#pk)' })) return
    await forgetOldest(rows, host)
  }
  throw new SlipwayError(
    'store-unavailable',
    `The images item of host "${host}" kept changing for ${ROUNDS_MAX} rounds. It is safe to try again.`,
  )
}

/** False: there is no item yet, or it is full. */
function addTo(
  rows: Rows,
  host: HostId,
  images: Readonly<Record<string, unknown>>,
  now: EpochMs,
): Promise<boolean> {
  const named = Object.entries(images)
  return rows.write(imagesKey(host), {
    update: `SET ${named.map((_, at) => `#images.#i${at} = :i${at}`).join(', ')}, ${SET_TOLD} ADD #revision :one`,
    condition: 'size(#images) < :max',
    values: {
      ...Object.fromEntries(named.map(([, state], at) => [`:i${at}`, state])),
      ...toldValues(now),
      ':one': 1,
      ':max': IMAGES_MAX,
    },
    names: Object.fromEntries(named.map(([image], at) => [`#i${at}`, image])),
  })
}

/** Does nothing to an item that has room, or that somebody else changes at the same time. */
async function forgetOldest(rows: Rows, host: HostId): Promise<void> {
  const row = await rows.get(imagesKey(host))
  if (row === null) return
  const { revision, images } = parseItem(DatedImagesItem, row)
  const entries = Object.entries(images)
  if (entries.length < IMAGES_MAX) return
  const newest = entries
    .toSorted(([, left], [, right]) => right.toldAt - left.toldAt)
    .slice(0, IMAGES_MAX / 2)
  await rows.write(imagesKey(host), {
    update: 'SET #images = :images ADD #revision :one',
    condition: '#revision = :revision',
    values: { ':images': Object.fromEntries(newest), ':one': 1, ':revision': revision },
  })
}
