import { createAgentGateway } from '../adapters/api-gateway/index.ts'
import { createShipfoxSource } from '../adapters/shipfox/index.ts'
import type { Settings } from '../config/index.ts'
import type { DemandSource, Log } from '../core/ports/index.ts'
import { systemClock } from '../adapters/system/index.ts'
import { openHubDatabase } from './hub-database.ts'
import type { LocalHubOptions } from './hub.ts'
import type { SourceAddress } from './source-address.ts'

/** Short, so that a demo runner whose job was canceled before it registered ends soon. */
const DEMO_RUNNER_WAIT_MS = 30_000

/** The composition root of one machine: the only file in local/ that chooses adapters. */
export const LOCAL_ADAPTERS: LocalHubOptions['adapters'] = {
  openStore: openHubDatabase,
  openAgentGateway: createAgentGateway,
}

export function openDemandSource(settings: Settings, address: SourceAddress, log: Log): DemandSource {
  return createShipfoxSource({
    ...address,
    maxReservations: settings.maxReservations,
    mintBatchMax: settings.mintBatchMax,
    pollWaitSecondsMax: settings.pollWaitSeconds,
    pollIntervalMs: settings.pollIntervalMs,
    pollIntervalMaxMs: settings.pollMaxIntervalMs,
    reportIntervalMs: settings.convergeIntervalMs,
    registrationDeadlineMs: settings.registrationDeadlineMs,
    runnerPollMaxDurationMs:
      settings.source.kind === 'sandbox' ? DEMO_RUNNER_WAIT_MS : settings.runnerPollMaxDurationMs,
    clock: systemClock,
    log,
  })
}
