import { Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { ControlLoopEnv } from '../lambdas/control-loop/env.ts'
import type { AgentSocketApi } from './agent-socket-api.ts'
import { EveryMinute, TICK_AGE_MAX } from './every-minute.ts'
import type { FleetTable } from './fleet-table.ts'
import { type HubContext, HubFunction } from './hub-function.ts'
import type { HubSettings } from './settings.ts'
import type { SourceSecrets } from './source-secrets.ts'

export interface ControlLoopProps {
  readonly hub: HubContext
  readonly table: FleetTable
  readonly agents: AgentSocketApi
  readonly secrets: SourceSecrets
  readonly settings: Pick<HubSettings, 'mode' | 'busyHours'>
}

/**
 * The planner. Every minute a schedule starts an invocation, which works for up to 14 minutes if it gets the fleet's
 * lease and ends at once if not. Only the lease prevents two planners: reserved concurrency would make the first
 * deployment fail in accounts with a low limit.
 */
export class ControlLoop extends Construct {
  readonly loop: HubFunction

  constructor(scope: Construct, id: string, { hub, table, agents, secrets, settings }: ControlLoopProps) {
    super(scope, id)
    const settingsEnv = {
      SLIPWAY_SOURCES: secrets.asText,
      SLIPWAY_MODE: settings.mode,
      SLIPWAY_BUSY_HOURS: settings.busyHours,
    }
    hub.build.addSettings('control-loop', settingsEnv)
    this.loop = new HubFunction(this, 'Loop', {
      hub,
      folder: 'control-loop',
      description: 'Polls sources for jobs, plans, and launches runners',
      timeout: Duration.minutes(15),
      maxEventAge: TICK_AGE_MAX,
      env: ControlLoopEnv,
      environment: {
        SLIPWAY_TABLE: table.name,
        SLIPWAY_BUILD: hub.build.name,
        SLIPWAY_SOCKET_ENDPOINT: agents.endpoint,
        ...settingsEnv,
      },
      allowed: [
        table.allow('BatchGetItem', 'GetItem', 'PutItem', 'Scan', 'UpdateItem'),
        table.allowChanges(),
        agents.allowCalls('POST'),
        ...secrets.allowReading(),
      ],
    })
    new EveryMinute(this, 'Ticks', { target: this.loop.function })
  }
}
