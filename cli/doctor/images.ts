import { messageOf } from '../../core/model/index.ts'
import { fail, type Finding, ok, warn } from './finding.ts'
import type { HubFacts } from './hub.ts'
import type { FoundEngine } from './machine.ts'

/** Whether the image of each template in force is on a host or can be pulled. */
export async function examineImages(
  { templates: { templates }, hosts }: HubFacts,
  engine: FoundEngine | null,
): Promise<readonly Finding[]> {
  if (templates.length === 0)
    return [
      fail('image', 'no templates are in force, so no job gets a container', 'slipway templates apply FILE'),
    ]
  const images = [...new Set(templates.map(({ image }) => image))].toSorted()
  return Promise.all(images.map((image) => examineImage(image, hosts, engine)))
}

async function examineImage(
  image: string,
  hosts: HubFacts['hosts'],
  engine: FoundEngine | null,
): Promise<Finding> {
  const reported = hosts.flatMap(({ host, images }) => {
    return images.filter((one) => one.image === image).map((one) => ({ host, ...one }))
  })
  const present = reported.filter(({ state }) => state === 'present').map(({ host }) => host)
  const failed = reported.find(({ state }) => state === 'failed')
  if (failed !== undefined)
    return fail('image', `host ${failed.host} cannot pull ${image}: ${failed.reason}`, WHAT_TO_DO)
  if (present.length > 0) return ok('image', `${image} is on ${present.join(', ')}`)
  if (reported.length > 0)
    return ok('image', `${image} is being pulled by ${reported.map(({ host }) => host).join(', ')}`)
  if (engine === null)
    return warn(
      'image',
      `no host has reported the state of ${image} yet`,
      'The hosts of its templates pull it once they are online.',
    )
  return examineHere(image, engine)
}

const WHAT_TO_DO = 'Correct the image in the templates, or build or pull it on that host.'

async function examineHere(image: string, engine: FoundEngine): Promise<Finding> {
  try {
    if (await engine.has(image)) return ok('image', `${image} is on this machine`)
    const why = await engine.whyNotPullable(image)
    return why === null
      ? ok('image', `${image} is not on this machine yet, but can be pulled`)
      : fail('image', `${image} is not on this machine and cannot be pulled: ${why}`, WHAT_TO_DO)
  } catch (thrown) {
    return warn(
      'image',
      `it is unknown whether ${image} can be pulled: ${messageOf(thrown)}`,
      'Run docker pull to find out.',
    )
  }
}
