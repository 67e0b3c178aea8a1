import { parseSettings } from '../../config/index.ts'
import { aborted } from '../../core/flows/index.ts'
import { demoJobs } from '../../demo/jobs.ts'
import { createDisplay } from '../start/display.ts'
import { openSource } from '../start/source.ts'
import type { CommandIo } from './io.ts'

export interface SandboxFlags {
  readonly port: number
  readonly demoJobs: number
  readonly protocol: 'v1' | 'v2'
}

/** `slipway sandbox`: prints the variables to connect to it, and runs until it is shut down. */
export async function sandboxCommand(flags: SandboxFlags, io: CommandIo): Promise<number> {
  const { settings } = parseSettings({ ...io.env, SHIPFOX_API_URL: '', SHIPFOX_PROVISIONER_TOKEN: '' })
  const display = createDisplay(settings.log === 'json' ? 'json' : 'plain', io.stderr)
  const plan = { protocol: flags.protocol, inContainers: true, port: flags.port, onEvent: display.job }
  const source = await openSource(settings, plan)
  const { address, sandbox } = source
  try {
    if (flags.demoJobs > 0) sandbox?.enqueue(demoJobs(flags.demoJobs))
    // Printing the token is safe: it only guards demo jobs, and the user needs it to connect.
    const lines = [
      `export SHIPFOX_API_URL=${address.apiUrl}`,
      `export SHIPFOX_RUNNER_API_URL=${address.runnerApiUrl}`,
      `export SHIPFOX_PROVISIONER_TOKEN=${address.token.reveal()}`,
    ]
    io.stdout.write(`${lines.join('\n')}\n`)
    await aborted(io.shutdown)
    return 0
  } finally {
    await source.close()
  }
}
