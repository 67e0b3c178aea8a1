import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { TEST_LABEL } from './test-image.ts'

/**
 * A registry on loopback with one tiny image. How it answers depends on the name of the repository: `good`, `missing`,
 * `denied`, `limited` (too many requests), `broken` (server error), `slow` (a layer
 * never comes).
 */
export interface TestRegistry {
  /** `127.0.0.1:port`: the engine speaks plain HTTP with it. */
  readonly host: string
  /** Of the image's manifest. */
  readonly digest: string
  /** Paths asked for, oldest first. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

interface TestImage {
  readonly manifest: Buffer
  /** Digest of its one layer. */
  readonly layer: string
  readonly blobs: ReadonlyMap<string, Buffer>
}

const MISBEHAVING = ['missing', 'denied', 'limited', 'broken', 'slow']
const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json'

export async function openTestRegistry(): Promise<TestRegistry> {
  const images = new Map<string, TestImage>()
  for (const name of ['good', ...MISBEHAVING]) images.set(name, await makeImage(name))
  const requests: string[] = []
  const server = createServer((asked, answer) => {
    const path = asked.url ?? '/'
    requests.push(path)
    const [, repository = '', kind = '', reference = ''] =
      /^\/v2\/([^/]+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? []
    const image = images.get(repository)
    if (repository === '') answer.end('{}')
    else if (image === undefined) answer.writeHead(404).end()
    else if (kind === 'manifests') sendManifest(answer, repository, image.manifest)
    else sendBlob(answer, repository, image.blobs.get(reference), reference === image.layer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    digest: digestOf(images.get('good')!.manifest),
    requests,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function sendManifest(answer: ServerResponse, repository: string, manifest: Buffer): void {
  const refusals: Record<string, [status: number, code: string]> = {
    missing: [404, 'MANIFEST_UNKNOWN'],
    denied: [403, 'DENIED'],
    limited: [429, 'TOOMANYREQUESTS'],
    broken: [500, 'UNKNOWN'],
  }
  const refusal = refusals[repository]
  if (refusal !== undefined) {
    const [status, code] = refusal
    answer.writeHead(status, { 'Content-Type': 'application/json' })
    answer.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
    return
  }
  answer.writeHead(200, {
    'Content-Type': MANIFEST_TYPE,
    'Docker-Content-Digest': digestOf(manifest),
    'Content-Length': manifest.length,
  })
  answer.end(manifest)
}

function sendBlob(
  answer: ServerResponse,
  repository: string,
  blob: Buffer | undefined,
  isLayer: boolean,
): void {
  if (blob === undefined) {
    answer.writeHead(404).end()
    return
  }
  answer.writeHead(200, { 'Content-Length': blob.length })
  if (!isLayer || repository === 'good') answer.end(blob)
  else answer.write(blob.subarray(0, 10))
}

async function makeImage(name: string): Promise<TestImage> {
  const archive = pack()
  // Different for each image and run, so that no layer of another one stands in for a pull.
  archive.entry({ name }, String(process.hrtime.bigint()))
  archive.finalize()
  const layer = await buffer(archive)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
      os: 'linux',
      config: { Labels: { [TEST_LABEL]: 'pulled' } },
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
      history: [{ created: new Date(0).toISOString() }],
    }),
  )
  const part = (mediaType: string, blob: Buffer) => ({ mediaType, size: blob.length, digest: digestOf(blob) })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
    }),
  )
  const blobs = [manifest, config, layer].map((blob) => [digestOf(blob), blob] as const)
  return { manifest, layer: digestOf(layer), blobs: new Map(blobs) }
}

function digestOf(blob: Buffer): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`
}
