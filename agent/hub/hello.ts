import { hostCapacity } from '../host/capacity.ts'
import type { EngineState } from '../host/engine-state.ts'
import type { HostCaps } from '../options.ts'
import type { HelloFacts } from './session.ts'

export interface HelloDeps {
  readonly agentVersion: string
  readonly install: string
  readonly caps: HostCaps
  readonly engineState: EngineState
}

/** What a hello says about this host at present. */
export function helloFacts({ agentVersion, install, caps, engineState: { facts } }: HelloDeps): HelloFacts {
  const { kind, version, bootId } = facts ?? { kind: 'unknown', version: 'unknown', bootId: 'unknown' }
  return { agentVersion, install, engine: { kind, version, bootId }, capacity: hostCapacity(facts, caps) }
}
