import { messageOf } from '../../core/model/index.ts'
import { fail, type Finding, ok, warn } from './finding.ts'
import type { HubFacts } from './hub.ts'
import type { FoundEngine } from './machine.ts'

/** Whether the image of each template in force is on a host, or can be had. */
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
  const told = hosts.flatMap(({ host, images }) => {
    return images.filter((one) => one.image === image).map((one) => ({ host, ...one }))
  })
  const present = told.filter(({ state }) => state === 'present').map(({ host }) => host)
  const failed = told.find(({ state }) => state === 'failed')
  if (failed !== undefined)
    return fail('image', `host ${failed.host} can't have ${image}: ${failed.reason}`, WHAT_TO_DO)
  if (present.length > 0) return ok('image', `${image} is on ${present.join(', ')}`)
  if (told.length > 0)
    return ok('image', `${image} is being pulled by ${told.map(({ host }) => host).join(', ')}`)
  if (engine === null)
    return warn(
      'image',
      `no host has told of ${image} yet`,
      'It is pulled by the hosts that its templates name, once they are online.',
    )
  return examineHere(image, engine)
}

const WHAT_TO_DO = 'Correct the name in the templates, or build or pull it by hand on that host.'

async function examineHere(image: string, engine: FoundEngine): Promise<Finding> {
  try {
    if (await engine.has(image)) return ok('image', `${image} is on this machine`)
    const why = await engine.whyNotPullable(image)
    return why === null
      ? ok('image', `${image} is not on this machine yet, and can be pulled`)
      : fail('image', `${image} is not on this machine, and can't be pulled: ${why}`, WHAT_TO_DO)
  } catch (thrown) {
    return warn(
      'image',
      `whether ${image} can be had is not known: ${messageOf(thrown)}`,
      'Try docker pull by hand.',
    )
  }
}
