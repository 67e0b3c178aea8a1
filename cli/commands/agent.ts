import { readVersion } from '../../platform/version.ts'
import { engineSettings } from '../agent/engine-settings.ts'
import { chooseEngine } from './engine.ts'
import type { CommandIo } from './io.ts'
import { serveHost } from './serve-host.ts'

/** `slipway agent`: runs until it is shut down; running jobs continue after it exits. */
export async function agentCommand(flags: { yes: boolean }, io: CommandIo): Promise<number> {
  return serveHost(io, readVersion(), async (settings, log) => {
    const say = (text: string): void => log.emit({ name: 'agent.preparing', text })
    const options = { isDemo: false, assumeYes: flags.yes, say }
    return engineSettings(settings, await chooseEngine(io, settings.engine, options))
  })
}
