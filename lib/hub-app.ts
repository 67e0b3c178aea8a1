import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { HubStack } from './hub-stack.ts'
import { readSettings, type StageSettings } from './settings.ts'
import { DEFAULT_STAGE, STAGES } from './stages.ts'

export interface HubAppOptions {
  /** In addition to the context of CDK's command line. */
  readonly context?: Readonly<Record<string, unknown>>
  /** Output folder of the assembly; absent = the one of CDK's command line, else a temporary folder. */
  readonly outdir?: string
  readonly stages?: Readonly<Record<string, StageSettings>>
}

/** The CDK app of one stage; security rules are checked when it is synthesized. Throws SettingsError. */
export function hubApp({ context = {}, outdir, stages = STAGES }: HubAppOptions = {}): App {
  const app = new App({ context: { ...context }, ...(outdir !== undefined && { outdir }) })
  const settings = readSettings({ stages, defaultStage: DEFAULT_STAGE, context: app.node.getAllContext() })
  new HubStack(app, settings)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return app
}
