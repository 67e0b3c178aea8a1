import { Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { SweepEnv } from '../lambdas/sweep/env.ts'
import { EveryMinute, TICK_AGE_MAX } from './every-minute.ts'
import type { FleetTable } from './fleet-table.ts'
import { type HubContext, HubFunction } from './hub-function.ts'

/** Runs every minute and finds silent hosts, expired records and violated invariants. */
export class Sweep extends Construct {
  readonly sweep: HubFunction

  constructor(scope: Construct, id: string, { hub, table }: { hub: HubContext; table: FleetTable }) {
    super(scope, id)
    this.sweep = new HubFunction(this, 'Sweep', {
      hub,
      folder: 'sweep',
      description: 'Finds silent hosts and expired records, and audits the state',
      timeout: Duration.minutes(2),
      maxEventAge: TICK_AGE_MAX,
      env: SweepEnv,
      environment: { SLIPWAY_TABLE: table.name },
      allowed: [
        table.allow('DeleteItem', 'GetItem', 'PutItem', 'Query', 'Scan', 'UpdateItem'),
        table.allowChanges(),
      ],
    })
    new EveryMinute(this, 'Ticks', { target: this.sweep.function })
  }
}
