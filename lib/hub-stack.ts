import { Annotations, CfnOutput, Stack, type StackProps, Tags, Validations } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { AgentSocketApi } from './agent-socket-api.ts'
import { ControlLoop } from './control-loop.ts'
import { FleetTable } from './fleet-table.ts'
import { HubAlarms } from './hub-alarms.ts'
import { HubBuild } from './hub-build.ts'
import { HubDashboard } from './hub-dashboard.ts'
import type { HubContext } from './hub-function.ts'
import { HubHttpApi } from './hub-http-api.ts'
import { HubMetrics } from './hub-metrics.ts'
import { type HubSettings, formatNoSource } from './settings.ts'
import { SourceSecrets } from './source-secrets.ts'
import { Sweep } from './sweep.ts'

/** The whole hub of one stage. Only its outputs are used outside, and several stacks can share an account. */
export class HubStack extends Stack {
  constructor(scope: Construct, settings: HubSettings) {
    super(scope, `slipway-${settings.stage}`, stackProps(settings))
    for (const [name, value] of Object.entries({ ...settings.tags, app: 'slipway', stage: settings.stage })) {
      Tags.of(this).add(name, value)
    }
    const { production, logRetentionDays } = settings
    const hub: HubContext = { production, logRetentionDays, build: new HubBuild() }
    const table = new FleetTable(this, 'Fleet', settings)
    const secrets = new SourceSecrets(this, 'Secrets', settings)
    const agents = new AgentSocketApi(this, 'Agents', { hub, table })
    const { loop } = new ControlLoop(this, 'ControlLoop', { hub, table, agents, secrets, settings })
    const { sweep } = new Sweep(this, 'Sweep', { hub, table })
    const http = new HubHttpApi(this, 'Http', { hub, table, agents, secrets })
    const metrics = new HubMetrics(table.name)
    const { socket, authorizer } = agents
    const functions = { loop, sweep, socket, authorizer, http: http.handler }
    const { alarms } = new HubAlarms(this, 'Alarms', { settings, metrics, table, functions })
    const dashboard = new HubDashboard(this, 'Dashboard', { metrics, table, functions, alarms, agents, http })
    const outputs = { ApiUrl: http.url, AgentUrl: agents.url, DashboardUrl: dashboard.url }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value })
    this.#noteGaps(settings)
  }

  #noteGaps({ stage, sources, production, runbookUrl }: HubSettings): void {
    if (sources.length === 0) Validations.of(this).addWarning('slipway:NoSource', formatNoSource(stage))
    // Not a warning, because deploying treats warnings as errors, and a hub works without the link.
    if (production && !runbookUrl.startsWith('https://')) {
      Annotations.of(this).addInfoV2(
        'slipway:NoRunbookLink',
        `Alarms of stage "${stage}" refer to "${runbookUrl}", which is not a link in an email. Set runbookUrl in ` +
          'lib/stages.ts to the URL where your team reads docs/runbook.md, such as https://…/docs/runbook.md',
      )
    }
  }
}

function stackProps({ stage, account, region, production }: HubSettings): StackProps {
  return {
    description: `Slipway hub, stage ${stage}: one throw-away container per waiting CI job`,
    terminationProtection: production,
    env: { ...(account && { account }), ...(region && { region }) },
  }
}
