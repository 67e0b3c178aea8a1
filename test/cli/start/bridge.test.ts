import { describe, expect, it } from 'vitest'
import { findBridgeAddress } from '../../../cli/start/bridge.ts'

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'
const ETHERNET = 'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0'
const DEFAULT = 'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0'
const BRIDGE = 'docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0'

/** As the kernel writes its tree of routes: an own address is a leaf of 32 bits. */
const ADDRESSES = `Local:
  +-- 0.0.0.0/0 3 0 4
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 172.16.0.0/15 2 0 2
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.1
              /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
           |-- 192.0.2.2
              /32 host LOCAL
`

describe('the address on the bridge of the engine', () => {
  it('is our own one in the subnet of the bridge, whether or not a container runs', () => {
    const routes = [HEAD, DEFAULT, BRIDGE, ETHERNET].join('\n')
    expect(findBridgeAddress(routes, ADDRESSES)).toBe('172.17.0.1')
  })

  it('is none without a bridge, or without an address of ours there', () => {
    expect(findBridgeAddress([HEAD, DEFAULT, ETHERNET].join('\n'), ADDRESSES)).toBeNull()
    expect(
      findBridgeAddress([HEAD, BRIDGE].join('\n'), ADDRESSES.replace('172.17.0.1', '172.99.0.1')),
    ).toBeNull()
    expect(findBridgeAddress('', '')).toBeNull()
  })
})
