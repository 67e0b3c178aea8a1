import { HOST_RUNNERS_MAX, type HostCapacity } from '../../core/model/index.ts'
import type { EngineFacts } from '../engines/engine.ts'
import type { HostCaps } from '../options.ts'

/** What this host offers: the capacity of its machine, within its owner's caps. Zero while the engine is unknown. */
export function hostCapacity(facts: EngineFacts | null, caps: HostCaps): HostCapacity {
  if (facts === null) return { cpuMillis: 0, memoryMib: 0, runners: 0 }
  const { cpuMillis, memoryMib } = facts.capacity
  return {
    cpuMillis: Math.floor(Math.min(cpuMillis, caps.cpuMillis ?? cpuMillis)),
    memoryMib: Math.floor(Math.min(memoryMib, caps.memoryMib ?? memoryMib)),
    runners: Math.min(HOST_RUNNERS_MAX, caps.runners ?? HOST_RUNNERS_MAX),
  }
}
