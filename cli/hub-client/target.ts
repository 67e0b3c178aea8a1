import { join } from 'node:path'
import type { Env } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { apiSocketPath } from '../../local/gateway/http-api.ts'
import { isLoopback } from '../../platform/loopback.ts'

/** The hub that a command talks to: a deployed hub by its API's URL, or the hub on this machine by its socket. */
export type HubTarget =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'socket'; readonly path: string }

/** The hub of `--hub`, else of SLIPWAY_API_URL, else of SLIPWAY_STATE_DIR. Throws `hub-url-invalid`. */
export function chooseHub(flag: string | undefined, env: Env): HubTarget {
  const url = flag?.trim() || env['SLIPWAY_API_URL']?.trim() || null
  if (url !== null)
    return { kind: 'url', url: checkedUrl(url, flag === undefined ? 'SLIPWAY_API_URL' : '--hub') }
  return { kind: 'socket', path: apiSocketPath(join(stateDirOf(env), 'hub')) }
}

/** The state folder of this machine, read alone: these commands need no other setting. */
export function stateDirOf(env: Env): string {
  return env['SLIPWAY_STATE_DIR']?.trim() || '.slipway'
}

/** Returned without a trailing slash. */
function checkedUrl(text: string, name: string): string {
  const url = URL.parse(text)
  const isPlain = url !== null && url.username === '' && url.search === '' && url.hash === ''
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (isPlain && isSafe) return text.replace(/\/+$/, '')
  throw new SlipwayError(
    'hub-url-invalid',
    `${name} is not the URL of a hub's API: expected the https://… URL of the stack output ApiUrl, without user name and query.`,
  )
}
