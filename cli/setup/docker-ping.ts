import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { join } from 'node:path'
import { errnoOf } from '../../platform/errno.ts'
import type { DockerAnswer } from './docker-plan.ts'

/** A healthy engine answers a ping in milliseconds; a loaded engine took up to a second. */
const PING_TIMEOUT_MS = 5_000

export type DockerPing = { answer: DockerAnswer; detail: string }
type Env = Readonly<Record<string, string | undefined>>

/** Pings the engine at `host` (`unix://`, `tcp://`, `http(s)://` or `ssh://`, which is not checked). Never throws. */
export async function pingDocker(host: string, env: Env, timeoutMs = PING_TIMEOUT_MS): Promise<DockerPing> {
  if (host.startsWith('ssh://')) return { answer: 'unchecked', detail: 'reached over SSH' }
  try {
    const status = await requestPing(pingOptions(host, env), timeoutMs)
    if (status === 200) return { answer: 'ok', detail: 'answers' }
    return { answer: 'unusable', detail: `HTTP status ${status}` }
  } catch (error) {
    return explain(error)
  }
}

function pingOptions(host: string, env: Env): https.RequestOptions {
  if (host.startsWith('/')) return { socketPath: host }
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  const url = new URL(host)
  const certificates =
    url.protocol === 'tcp:' && env['DOCKER_TLS_VERIFY'] ? env['DOCKER_CERT_PATH'] : undefined
  const isEncrypted = url.protocol === 'https:' || certificates !== undefined
  return {
    protocol: isEncrypted ? 'https:' : 'http:',
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (isEncrypted ? 2376 : 2375),
    ...(certificates === undefined ? {} : readCertificates(certificates)),
  }
}

function readCertificates(folder: string): https.RequestOptions {
  const read = (name: string) => readFileSync(join(folder, name))
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
}

function requestPing(options: https.RequestOptions, timeoutMs: number): Promise<number | undefined> {
  const client = options.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const request = client.get({ ...options, path: '/_ping', agent: false, signal }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.once('error', (error) => reject(signal.aborted ? signal.reason : error))
  })
}

const ANSWER_BY_CODE: Readonly<Record<string, DockerAnswer>> = {
  ENOENT: 'absent',
  ECONNREFUSED: 'refused',
  EACCES: 'denied',
  EPERM: 'denied',
  TimeoutError: 'silent',
}

function explain(error: unknown): DockerPing {
  if (!(error instanceof Error)) return { answer: 'unusable', detail: String(error) }
  const code = errnoOf(error) ?? error.name
  const answer = ANSWER_BY_CODE[code] ?? 'unusable'
  return { answer, detail: answer === 'silent' ? 'no answer in time' : code }
}
