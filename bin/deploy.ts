import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SettingsError } from '../lib/settings.ts'
import { DEFAULT_STAGE, STAGES } from '../lib/stages.ts'
import { endLike, runChild } from '../platform/bootstrap/child.mjs'
import { isPrepared, planDeploy } from './deploy-plan.ts'

/** `npm run deploy`: bootstraps the account for CDK if necessary, then deploys one stage. */

const root = fileURLToPath(new URL('..', import.meta.url))
const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk')

try {
  await deploy(process.argv.slice(2))
} catch (thrown) {
  if (!(thrown instanceof SettingsError)) throw thrown
  console.error(thrown.message)
  process.exitCode = 1
}

async function deploy(args: readonly string[]): Promise<void> {
  const commands = await planDeploy(args, { stages: STAGES, defaultStage: DEFAULT_STAGE, isPrepared: check })
  for (const command of commands) {
    const { code, signal } = await runChild(process.execPath, [cdk, ...command], { cwd: root })
    if (code !== 0) return endLike({ code, signal })
  }
}

async function check({ region, profile }: { region: string | undefined; profile: string | undefined }) {
  if (profile !== undefined) process.env['AWS_PROFILE'] = profile
  const prepared = await isPrepared({ region })
  if (!prepared)
    console.error('slipway: this account and region are not prepared for CDK yet; running cdk bootstrap')
  return prepared
}
