import { type MistakeList, quote } from '../mistakes.ts'
import { asMap, type Entry } from '../tree.ts'
import { plainText, type Reader } from './readers.ts'

const NAME = /^[A-Za-z_]\w*$/
/** Slipway and the runner speak through these. */
const RESERVED = /^(?:SHIPFOX|SLIPWAY)_/i
const TOKEN = /sf_[a-z]+_[\w-]{20}/i
/** A launch is one message to the agent, at most 30 KB; this leaves room for the rest of it. */
const ENV_MAX_BYTES = 16_384

/** A map of texts. Values never show in messages: a password shouldn't stand there, and may. */
export const readEnv: Reader<Readonly<Record<string, string>>> = (node, mistakes) => {
  const map = asMap(node, mistakes, 'a map of names and texts')
  if (map === undefined) return undefined
  const pairs = [...map.entries].map(([name, entry]) => [name, readVariable(name, entry, mistakes)] as const)
  const good = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined)
  const bytes = good.reduce((sum, [name, value]) => sum + byteLength(name) + byteLength(value), 0)
  if (bytes > ENV_MAX_BYTES) {
    mistakes.add(node.place, `holds ${bytes} bytes`, { expected: `at most ${ENV_MAX_BYTES} in all` })
  }
  return good.length === pairs.length && bytes <= ENV_MAX_BYTES ? Object.fromEntries(good) : undefined
}

function readVariable(name: string, { keyPlace, node }: Entry, mistakes: MistakeList): string | undefined {
  if (!NAME.test(name)) {
    const expected = 'letters, digits and "_", no digit first'
    mistakes.add(keyPlace, `${quote(name)} is not the name of a variable`, { expected })
    return undefined
  }
  if (RESERVED.test(name)) {
    mistakes.add(keyPlace, 'is a variable that Slipway sets itself', { expected: 'another name' })
    return undefined
  }
  const value = plainText(node, mistakes)
  if (value === undefined) return undefined
  if (TOKEN.test(value)) {
    mistakes.add(node.place, 'holds a Shipfox token, and a templates file is no place for secrets')
    return undefined
  }
  if (value.includes('\0')) {
    mistakes.add(node.place, 'holds a NUL character, which no environment can')
    return undefined
  }
  return value
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
