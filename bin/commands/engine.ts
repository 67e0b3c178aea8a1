import type { Settings } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import type { EngineChoice } from '../../local/main.ts'
import { askOnTerminal } from '../bootstrap/ask.ts'
import { ensureDocker } from '../bootstrap/docker.ts'

/**
 * The engine that was asked for; otherwise Docker, started if need be. Only the sandbox demo falls back to plain
 * processes: they isolate nothing, so a real source gets them by an explicit choice alone.
 */
export async function chooseEngine(
  settings: { readonly engine: Settings['engine']; readonly source: Settings['source'] | null },
  options: { assumeYes: boolean; say: (line: string) => void },
): Promise<EngineChoice> {
  if (settings.engine === 'process') return { kind: 'process' }
  const docker = await ensureDocker({
    env: process.env,
    isTTY: process.stdin.isTTY && process.stderr.isTTY,
    ask: askOnTerminal,
    print: options.say,
    assumeYes: options.assumeYes,
  })
  if (docker.state === 'ready') return { kind: 'docker', dockerHost: docker.host, extraHosts: [] }
  const missing = `No Docker Engine can be used: ${docker.reason} ${docker.howTo}`
  if (settings.source?.kind !== 'sandbox' || settings.engine === 'docker')
    throw new SlipwayError('docker-unavailable', missing)
  options.say(missing)
  options.say('The demo runs its jobs as plain processes instead, with no isolation at all.')
  return { kind: 'process' }
}
