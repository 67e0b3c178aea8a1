import { readFile } from 'node:fs/promises'

/** The engine's own bridge, which every network-less container joins. */
const BRIDGE = 'docker0'
const OCTETS_AS_WRITTEN = /../g

/**
 * This machine's address on the engine's bridge; null where there is none, as on a machine whose engine runs in a
 * virtual one. Asks the kernel's routes, since `networkInterfaces()` leaves a bridge out while no container runs.
 */
export async function bridgeAddress(): Promise<string | null> {
  try {
    const [routes, addresses] = await Promise.all(
      ['/proc/net/route', '/proc/net/fib_trie'].map((path) => readFile(path, 'utf8')),
    )
    return findBridgeAddress(routes ?? '', addresses ?? '')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw thrown
  }
}

/** The first address of this machine that lies in the bridge's own subnet. Pure: what the two files hold is an input. */
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

/** `000011AC` is 172.17.0.0: the kernel writes the bytes in the order in which today's machines hold them. */
function littleEndian(hex: string): readonly number[] {
  return (hex.match(OCTETS_AS_WRITTEN) ?? []).toReversed().map((octet) => Number.parseInt(octet, 16))
}

function isIn(address: string, subnet: readonly number[], mask: readonly number[]): boolean {
  const octets = address.split('.').map(Number)
  return mask.every((bits, index) => ((octets[index] ?? 0) & bits) === subnet[index])
}
