import type { Readable } from 'node:stream'
import { EngineError } from '../engine.ts'
import { localAddress, openClient, parseDockerHost } from './connection.ts'
import { readLines } from './lines.ts'

export interface ImageArchive {
  readonly repo: string
  readonly tag: string
  /** A tar of a whole root file system. */
  readonly open: () => Readable
  /** Dockerfile instructions such as ENTRYPOINT, ENV and LABEL. */
  readonly changes: readonly string[]
}

/** Creates an image from a root file system, unless one of that name exists. Needs no registry. */
export async function importImage(
  dockerHost: string | null,
  archive: ImageArchive,
): Promise<'present' | 'imported'> {
  const address = dockerHost === null ? localAddress() : parseDockerHost(dockerHost)
  const docker = openClient(address, { tls: null, apiVersion: null })
  const { repo, tag, changes } = archive
  const found = await docker.listImages({ filters: { reference: [`${repo}:${tag}`] } })
  if (found.length > 0) return 'present'
  const progress = await docker.importImage(archive.open(), { repo, tag, changes: [...changes] })
  for await (const line of readLines(progress)) {
    // Errors arrive within the stream, after a successful status.
    if (line.includes('"errorDetail"'))
      throw new EngineError('refused', `The engine cannot import ${repo}:${tag}: ${line}`)
  }
  return 'imported'
}
