import { existsSync } from 'node:fs'
import Docker from 'dockerode'
import { hashRootfs, packRootfs, programsRootfs, type RootfsEntry } from '../../demo/rootfs.ts'

/** Marks everything that tests make in the engine. */
export const TEST_LABEL = 'slipway.test'

/** What the scripts of the tests use. */
const PROGRAMS = ['sh', 'sleep', 'cat', 'head', 'tail', 'env', 'id', 'setsid', 'dd', 'seq']

/** The container runs the script in its environment: a runner's spec has no command. */
const CHANGES = ['ENTRYPOINT ["/bin/sh", "-c", "eval \\"$SCRIPT\\""]', 'ENV PATH=/usr/bin:/usr/sbin']

/**
 * An image with a shell, made of this machine's own programs, so that no registry is needed; made once per content
 * and kept. Resolves with its name.
 */
export async function ensureTestImage(docker = new Docker()): Promise<string> {
  const entries = await programsRootfs(
    PROGRAMS.map((name) => ({ source: programPath(name), path: `/usr/bin/${name}` })),
    [{ kind: 'text', path: '/etc/passwd', text: 'root:x:0:0:root:/:/bin/sh\n', mode: 0o644 }],
  )
  const name = { repo: 'slipway-test', tag: (await hashRootfs(entries)).slice(0, 16) }
  const image = `${name.repo}:${name.tag}`
  if (await isPresent(docker, image)) return image
  await importImage(docker, entries, name)
  return image
}

function programPath(name: string): string {
  const found = ['/usr/bin', '/bin', '/usr/sbin', '/sbin']
    .map((folder) => `${folder}/${name}`)
    .find(existsSync)
  if (found === undefined) throw new Error(`The test image needs ${name}, which this machine lacks`)
  return found
}

async function isPresent(docker: Docker, image: string): Promise<boolean> {
  const found = await docker.listImages({ filters: { reference: [image] } })
  return found.length > 0
}

async function importImage(
  docker: Docker,
  entries: readonly RootfsEntry[],
  name: { repo: string; tag: string },
): Promise<void> {
  const changes = [...CHANGES, `LABEL ${TEST_LABEL}=image`]
  const progress = await docker.importImage(packRootfs(entries), { ...name, changes })
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error: Error | null) =>
      error === null ? resolve() : reject(error),
    )
  })
}
