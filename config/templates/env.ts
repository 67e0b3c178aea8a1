import { holdsShipfoxToken } from '../../core/model/index.ts'
import { type IssueList, quote } from '../issues.ts'
import { asMap, type Entry } from '../tree.ts'
import { plainText, type Reader } from './readers.ts'

const NAME = /^[A-Za-z_]\w*$/
/** Slipway passes its own variables to the runner with these prefixes. */
const RESERVED = /^(?:SHIPFOX|SLIPWAY)_/i
/** A launch is one message to the agent of at most 30 KB; this leaves room for its other fields. */
const ENV_MAX_BYTES = 16_384

/** A map of names and texts. Messages never show a value, because it may be a password that should not be there. */
export const readEnv: Reader<Readonly<Record<string, string>>> = (node, issues) => {
  const map = asMap(node, issues, 'a map of names and texts')
  if (map === undefined) return undefined
  const pairs = [...map.entries].map(([name, entry]) => [name, readVariable(name, entry, issues)] as const)
  const good = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined)
  const bytes = good.reduce((sum, [name, value]) => sum + byteLength(name) + byteLength(value), 0)
  if (bytes > ENV_MAX_BYTES) {
    issues.add(node.place, `has ${bytes} bytes`, { expected: `at most ${ENV_MAX_BYTES} in total` })
  }
  return good.length === pairs.length && bytes <= ENV_MAX_BYTES ? Object.fromEntries(good) : undefined
}

function readVariable(name: string, { keyPlace, node }: Entry, issues: IssueList): string | undefined {
  if (!NAME.test(name)) {
    const expected = 'letters, digits and "_", no digit first'
    issues.add(keyPlace, `${quote(name)} is not the name of a variable`, { expected })
    return undefined
  }
  if (RESERVED.test(name)) {
    issues.add(keyPlace, 'is a variable that Slipway sets itself', { expected: 'another name' })
    return undefined
  }
  const value = plainText(node, issues)
  if (value === undefined) return undefined
  if (holdsShipfoxToken(value)) {
    issues.add(node.place, 'contains a Shipfox token: a templates file must not contain secrets')
    return undefined
  }
  if (value.includes('\0')) {
    issues.add(node.place, 'contains a NUL character, which an environment variable cannot have')
    return undefined
  }
  return value
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
