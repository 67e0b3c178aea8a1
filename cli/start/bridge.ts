import { readFile } from 'node:fs/promises'
import { isErrno } from '../../platform/errno.ts'

/** The engine's default bridge, which containers without a configured network join. */
const BRIDGE = 'docker0'
const OCTETS_AS_WRITTEN = /../g

/**
 * This machine's address on the engine's bridge; null if there is no bridge, for example when the engine runs in a
 * virtual machine. Reads the kernel's routes, because `networkInterfaces()` omits a bridge while no container runs.
 */
export async function bridgeAddress(): Promise<string | null> {
  try {
    const [routes, addresses] = await Promise.all(
      ['/proc/net/route', '/proc/net/fib_trie'].map((path) => readFile(path, 'utf8')),
    )
    return findBridgeAddress(routes ?? '', addresses ?? '')
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return null
    throw thrown
  }
}

/** The first address of this machine in the bridge's subnet. Pure: the contents of the two files are inputs. */
export function findBridgeAddress(routes: string, addresses: string): string | null {
  const [, subnet, , , , , , mask] =
    routes
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([name, destination, gateway]) => {
        return name === BRIDGE && destination !== '00000000' && gateway === '00000000'
      }) ?? []
  if (subnet === undefined || mask === undefined) return null
  const own = [...addresses.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map(([, address]) => address ?? '')
  return own.find((address) => isIn(address, littleEndian(subnet), littleEndian(mask))) ?? null
}

/** `000011AC` is 172.17.0.0: the kernel prints the bytes in host order, which is little-endian. */
function littleEndian(hex: string): readonly number[] {
  return (hex.match(OCTETS_AS_WRITTEN) ?? []).toReversed().map((octet) => Number.parseInt(octet, 16))
}

function isIn(address: string, subnet: readonly number[], mask: readonly number[]): boolean {
  const octets = address.split('.').map(Number)
  return mask.every((bits, index) => ((octets[index] ?? 0) & bits) === subnet[index])
}
