import type { HostImages, ImageState } from '../../core/model/index.ts'
import type { FleetStore } from '../../core/ports/index.ts'
import { ImagesRecord, parseRecord } from '../../protocol/records.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Row } from './rows.ts'

/**
 * A host tells the images that its templates use at every session, and the list would keep every tag that it ever had.
 * Beyond this many, those that were told longest ago are forgotten.
 */
const IMAGES_MAX = 500

export function imageMethods(connection: GroupCommit): Pick<FleetStore, 'mergeImages'> {
  // As a host's: the first revision is above what readers may know of a host of this name that was removed.
  const touch = connection.prepare(
    `INSERT INTO image_lists (host, revision, changed_at) VALUES (:host, :revision, :now)
     ON CONFLICT (host) DO UPDATE SET revision = revision + 1, changed_at = excluded.changed_at`,
  )
  const put = connection.prepare(
    `INSERT OR REPLACE INTO images (host, image, state, reason, retry_at, told_at)
     VALUES (:host, :image, :state, :reason, :retryAt, :now)`,
  )
  const forgetOldest = connection.prepare(
    `DELETE FROM images WHERE host = :host AND image IN (
       SELECT image FROM images WHERE host = :host ORDER BY told_at DESC LIMIT -1 OFFSET ${IMAGES_MAX})`,
  )

  return {
    mergeImages: ({ host, images, now }) =>
      connection.write(() => {
        if (images.size === 0) return
        touch.run({ host, revision: Math.floor(now), now })
        for (const [image, state] of images) put.run({ host, image, ...columnsOf(state), now })
        forgetOldest.run({ host })
      }),
  }
}

function columnsOf(image: ImageState) {
  const { reason, retryAt } = image.state === 'failed' ? image : { reason: null, retryAt: null }
  return { state: image.state, reason, retryAt }
}

export function imagesOf({ host, revision }: Row, images: readonly Row[]): HostImages {
  return parseRecord(ImagesRecord, `The list of images of host "${String(host)}"`, {
    host,
    revision,
    images: Object.fromEntries(images.map((image) => [String(image['image']), imageOf(image)])),
  })
}

function imageOf({ state, reason, retry_at: retryAt }: Row) {
  return { state, reason, retryAt }
}
