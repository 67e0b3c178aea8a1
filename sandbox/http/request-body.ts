import type { IncomingMessage } from 'node:http'
import { ClientGone } from './call.ts'
import { Refusal } from '../rules/refusal.ts'

/** 1 MiB, the limit of the real server. */
export const BODY_MAX_BYTES = 1_048_576

/** The JSON value of the body; undefined without body and content type. Refuses with 400, 413 or 415. */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_MAX_BYTES)
    throw new Refusal(413, 'body-too-large')
  const content = await readAll(request)
  const type = request.headers['content-type']
  if (type === undefined && content.length === 0) return undefined
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type))
    throw new Refusal(415, 'invalid-media-type')
  if (content.length === 0) throw new Refusal(400, 'empty-json-body')
  return parseJson(content.toString('utf8'))
}

/** Uses events, because leaving an async iteration early would destroy the socket before the answer is sent. */
function readAll(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= BODY_MAX_BYTES) chunks.push(chunk)
      else reject(new Refusal(413, 'body-too-large'))
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => reject(new ClientGone()))
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'invalid-json-body')
  }
}
