import * as z from 'zod'
import {
  hostId,
  type HostId,
  isProvisionerToken,
  NAME_FORM,
  PROVISIONER_TOKEN_PREFIX,
  Secret,
  shipfoxPrefixOf,
  SlipwayError,
  TOKEN_RANDOM_CHARACTERS,
} from '../../core/model/index.ts'
import { quote } from '../issues.ts'
import { type Parsed, parseCpuMillis, parsed, refused } from '../quantities.ts'

/** Parses the text of a variable. Its messages never quote a text that may contain a secret. */
export type Kind<T> = (text: string) => Parsed<T>

export function integer(min: number, max: number): Kind<number> {
  const expected = `a whole number from ${min} to ${max}`
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : null
    if (value === null) return refused(`${quote(text)} is not a whole number`, expected)
    return value >= min && value <= max ? parsed(value) : refused(`${quote(text)} is out of range`, expected)
  }
}

export function choice<const C extends string>(choices: readonly C[]): Kind<C> {
  return (text) => {
    const found = choices.find((name) => name === text)
    return found === undefined ? refused(`is ${quote(text)}`, choices.join(' or ')) : parsed(found)
  }
}

export const text: Kind<string> = (value) => parsed(value)

export const cpus: Kind<number> = (value) => {
  const result = parseCpuMillis(/^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN)
  return result.ok ? result : refused(`${quote(value)} ${result.message}`, result.expected)
}

/** The same parser, with the quoted value in front of its messages. */
export function quoting<T>(parse: (text: string) => Parsed<T>): Kind<T> {
  return (value) => {
    const result = parse(value)
    return result.ok ? result : refused(`${quote(value)} ${result.message}`, result.expected)
  }
}

export const hostName: Kind<HostId> = (value) => {
  try {
    return parsed(hostId(value))
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    return refused(`${quote(value)} is not the name of a host`, NAME_FORM)
  }
}

/** A URL with one of the schemes in `become`, which maps each accepted scheme to the one used in its place. */
function url(become: Readonly<Record<string, string>>): Kind<string> {
  const expected = `a URL that starts with ${Object.keys(become).join('// or ')}//, such as ${EXAMPLE_URL}`
  return (value) => {
    const parts = URL.parse(value)
    const scheme = become[parts?.protocol ?? '']
    if (parts === null || scheme === undefined || parts.hostname === '')
      return refused('is not a valid URL', expected)
    if (parts.username !== '' || parts.password !== '') {
      return refused('contains a user name or a password', 'a URL without them')
    }
    if (value.includes('?') || value.includes('#'))
      return refused('has a query or a fragment', 'a URL without them')
    return parsed(`${scheme}//${parts.host}${parts.pathname.replace(/\/+$/, '')}`)
  }
}

const EXAMPLE_URL = 'https://shipfox.example/prefix'

/** A base URL with its path prefix and without a trailing slash, so that `${url}/path` is valid. */
export const httpUrl: Kind<string> = url({ 'http:': 'http:', 'https:': 'https:' })

/** The address that an agent dials; http and https are replaced by ws and wss. */
export const hubUrl: Kind<string> = url({ 'wss:': 'wss:', 'ws:': 'ws:', 'https:': 'wss:', 'http:': 'ws:' })

/** The kind of token that each prefix means, so that a message can name the wrong kind. */
const TOKEN_KINDS: ReadonlyMap<string, string> = new Map([
  ['sf_mrt_', 'a registration token for runners that are started by hand'],
  ['sf_ert_', 'an ephemeral registration token of a single runner'],
  ['sf_rbt_', 'a bootstrap token of a single runner'],
  ['sf_rcs_', 'a control session token of a single runner'],
  ['sf_rat_', 'an activation token of a single runner'],
])

export const provisionerToken: Kind<Secret> = (value) => {
  const expected = `a provisioner token: ${PROVISIONER_TOKEN_PREFIX} and ${TOKEN_RANDOM_CHARACTERS} letters, digits, "-" or "_"`
  const prefix = shipfoxPrefixOf(value) ?? ''
  const kind = TOKEN_KINDS.get(prefix)
  if (kind !== undefined) return refused(`is ${kind} (${prefix}…)`, expected)
  if (isProvisionerToken(value)) return parsed(new Secret(value))
  return refused(
    prefix === PROVISIONER_TOKEN_PREFIX ? 'is a damaged provisioner token' : 'is not a provisioner token',
    expected,
  )
}

/** A shorter token could be guessed. */
const AGENT_TOKEN_MIN_CHARACTERS = 16

export const agentToken: Kind<Secret> = (value) => {
  const expected = `at least ${AGENT_TOKEN_MIN_CHARACTERS} random characters without spaces`
  if (shipfoxPrefixOf(value) !== null) return refused('is a token of Shipfox', expected)
  if (!/^[\x21-\x7e]{1,512}$/.test(value)) return refused('has characters that a token cannot have', expected)
  return value.length < AGENT_TOKEN_MIN_CHARACTERS
    ? refused('is too short', expected)
    : parsed(new Secret(value))
}

export const dockerHost: Kind<string> = (value) => {
  const expected = 'unix:///path, tcp://name:port or ssh://user@name'
  const parts = URL.parse(value)
  if (parts?.password) return refused('contains a password', expected)
  const good =
    parts?.protocol === 'unix:' ? parts.pathname.length > 1 : parts !== null && parts.hostname !== ''
  const known = ['unix:', 'tcp:', 'ssh:'].includes(parts?.protocol ?? '')
  return known && good ? parsed(value) : refused('is not the address of a Docker Engine', expected)
}

export const networkName: Kind<string> = (value) => {
  const expected = 'the name of a Docker network'
  if (value === 'host')
    return refused("is the host's own network, where jobs could reach everything that the host can", expected)
  const good = /^[a-zA-Z0-9][\w.-]*$/.test(value)
  return good ? parsed(value) : refused(`${quote(value)} is not the name of a network`, expected)
}

export const logDriver: Kind<string> = (value) =>
  /^[a-zA-Z0-9][\w.:/-]*$/.test(value)
    ? parsed(value)
    : refused(
        `${quote(value)} is not the name of a log driver`,
        'a name such as json-file, journald or awslogs',
      )

const LogOptions = z.record(z.string(), z.string())

/** The values may contain a secret of the log's receiver: they are wrapped in `Secret`, and no message shows them. */
export const logOptions: Kind<Readonly<Record<string, Secret>>> = (value) => {
  const expected = 'a JSON object of strings, such as {"max-size":"10m"}'
  const options = LogOptions.safeParse(jsonOrUndefined(value))
  if (!options.success) return refused('is not a JSON object of strings', expected)
  return parsed(
    Object.fromEntries(Object.entries(options.data).map(([name, option]) => [name, new Secret(option)])),
  )
}

/** Undefined when the text is not JSON. The parser's error is dropped, because it quotes the text. */
function jsonOrUndefined(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

const Address = z.union([z.ipv4(), z.ipv6(), z.literal('host-gateway')])
const NAME_AND_ADDRESS = /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?):(.+)$/

/** `name:address,…`, as in `docker run --add-host`; an IPv6 address may be in brackets. */
export const extraHosts: Kind<readonly string[]> = (value) => {
  const expected = 'name:address pairs, separated by commas; each address is IPv4, IPv6 or host-gateway'
  const hosts: string[] = []
  for (const part of value.split(',').map((entry) => entry.trim())) {
    const [, name, written = ''] = NAME_AND_ADDRESS.exec(part) ?? []
    const address = Address.safeParse(written.replace(/^\[(.*)\]$/, '$1'))
    if (name === undefined || !address.success) return refused(`has the entry ${quote(part)}`, expected)
    hosts.push(`${name}:${address.data}`)
  }
  return parsed(hosts)
}
