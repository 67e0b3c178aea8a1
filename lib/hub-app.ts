import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { HubStack } from './hub-stack.ts'
import { readSettings, type StageSettings } from './settings.ts'
import { DEFAULT_STAGE, STAGES } from './stages.ts'

export interface HubAppOptions {
  /** Beside what CDK's own command line passes. */
  readonly context?: Readonly<Record<string, unknown>>
  /** Where the assembly is written; absent = as CDK's command line says, or else a temporary folder. */
  readonly outdir?: string
  readonly stages?: Readonly<Record<string, StageSettings>>
}

/** The app of one stage, checked against security rules when it is synthesized. Throws a SettingsError. */
export function hubApp({ context = {}, outdir, stages = STAGES }: HubAppOptions = {}): App {
  const app = new App({ context: { ...context }, ...(outdir !== undefined && { outdir }) })
  const settings = readSettings({ stages, defaultStage: DEFAULT_STAGE, context: app.node.getAllContext() })
  new HubStack(app, settings)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return app
}
