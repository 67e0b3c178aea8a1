import type { Command } from 'commander'
import { parseSettings } from '../../config/index.ts'
import { aborted } from '../../core/flows/tasks.ts'
import { demoJobs } from '../../local/demo/jobs.ts'
import { createDisplay } from '../../local/start/display.ts'
import { openSource } from '../../local/start/source.ts'
import { protocolOption, wholeNumber } from './options.ts'
import { runCommand } from './run.ts'

interface SandboxFlags {
  readonly port: number
  readonly demoJobs: number
  readonly protocol: 'v1' | 'v2'
}

const PORT_USUAL = 7410

export function addSandboxCommand(program: Command): void {
  program
    .command('sandbox')
    .description('run the sandbox source alone, and print how to reach it')
    .option('--port <port>', 'port to listen on; 0 = any', wholeNumber(0, 65_535), PORT_USUAL)
    .option('--demo-jobs <count>', 'queue this many jobs', wholeNumber(0, 10_000), 0)
    .addOption(protocolOption())
    .action((flags: SandboxFlags) => runCommand((shutdown) => runSandbox(flags, shutdown)))
}

async function runSandbox(
  { port, protocol, demoJobs: count }: SandboxFlags,
  shutdown: AbortSignal,
): Promise<number> {
  const { settings } = parseSettings({ ...process.env, SHIPFOX_API_URL: '' })
  const display = createDisplay(settings.log === 'json' ? 'json' : 'plain', process.stderr)
  const plan = { protocol, inContainers: true, port, onEvent: display.job }
  const { address, sandbox } = await openSource(settings, plan)
  try {
    sandbox?.enqueue(demoJobs(count))
    // The token guards demo jobs on this machine, and whoever started the sandbox needs it.
    console.log(`export SHIPFOX_API_URL=${address.apiUrl}`)
    console.log(`export SHIPFOX_RUNNER_API_URL=${address.runnerApiUrl}`)
    console.log(`export SHIPFOX_PROVISIONER_TOKEN=${address.token.reveal()}`)
    await aborted(shutdown)
    return 0
  } finally {
    await sandbox?.close()
  }
}
