import { existsSync } from 'node:fs'
import { importImage } from '../agent/engines/docker/import-image.ts'
import { SlipwayError } from '../core/model/index.ts'
import { hashRootfs, packRootfs, programsRootfs, type RootfsEntry } from './rootfs.ts'
import { demoRunnerFiles } from '../sandbox/runner-files.ts'

const REPO = 'slipway-demo-runner'
const FOLDER = '/opt/runner'
/** Programs that demo jobs can use, besides the built-ins of the shell. */
const TOOLS = ['sh', 'sleep', 'cat', 'env', 'ls', 'date', 'id', 'head', 'tail', 'seq', 'dd', 'true', 'false']
const TOOL_FOLDERS = ['/usr/bin', '/bin']

/**
 * Builds the demo runner's image from this machine's Node and shell, so that no registry is needed, unless an image with
 * the same content exists. Resolves with the image's name. Throws `rootfs-impossible`.
 */
export async function ensureDemoImage(
  dockerHost: string | null,
  say: (text: string) => void,
): Promise<string> {
  const runner = demoRunnerFiles()
  const program = runner[0]
  if (program === undefined) throw new SlipwayError('demo-runner-missing', 'The demo runner has no files.')
  const files = runner.map(
    ({ path, content }): RootfsEntry => ({
      kind: 'text',
      path: `${FOLDER}/${path}`,
      text: content,
      mode: 0o644,
    }),
  )
  const passwd: RootfsEntry = {
    kind: 'text',
    path: '/etc/passwd',
    text: 'root:x:0:0:root:/:/bin/sh\n',
    mode: 0o644,
  }
  const entries = await programsRootfs(programs(), [...files, passwd])
  const tag = (await hashRootfs(entries)).slice(0, 16)
  const archive = { repo: REPO, tag, open: () => packRootfs(entries), changes: changesFor(program.path) }
  const made = await importImage(dockerHost, archive)
  if (made === 'imported') say(`built the demo runner's image ${REPO}:${tag} from programs of this machine`)
  return `${REPO}:${tag}`
}

function changesFor(program: string): readonly string[] {
  return [
    `ENTRYPOINT ["/usr/bin/node", "${FOLDER}/${program}"]`,
    'ENV PATH=/usr/bin:/usr/sbin',
    'WORKDIR /tmp',
    'LABEL slipway.image=demo-runner',
  ]
}

function programs() {
  const tools = TOOLS.flatMap((name) => {
    const source = TOOL_FOLDERS.map((folder) => `${folder}/${name}`).find(existsSync)
    return source === undefined ? [] : [{ source, path: `/usr/bin/${name}` }]
  })
  return [{ source: process.execPath, path: '/usr/bin/node' }, ...tools]
}
