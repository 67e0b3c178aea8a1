import { join } from 'node:path'
import type { Command } from 'commander'
import { checkTemplateCount, parseSettings } from '../../config/index.ts'
import { LOCAL_HOST, SlipwayError } from '../../core/model/index.ts'
import { openLocalHub } from '../../local/hub.ts'
import { createLog, jsonLine, textLine } from '../../local/log.ts'
import { LOCAL_ADAPTERS, openDemandSource, readVersion } from '../../local/main.ts'
import { openSource } from '../../local/start/source.ts'
import { loadTemplates } from '../../local/start/templates.ts'
import { settingsHelp } from './options.ts'
import { runCommand } from './run.ts'

export function addHubCommand(program: Command): void {
  program
    .command('hub')
    .description('run the hub alone; agents dial in, a source is named by SHIPFOX_API_URL')
    .addHelpText('after', settingsHelp(['SHIPFOX_', 'SLIPWAY_']))
    .action(() => runCommand(runHub))
}

async function runHub(shutdown: AbortSignal): Promise<number> {
  const { settings, warnings } = parseSettings(process.env)
  const line = settings.log === 'json' ? jsonLine : textLine
  const log = createLog((entry) => process.stdout.write(`${line(entry)}\n`))
  for (const message of warnings) log.warn('settings.warning', { message })
  if (settings.source.kind === 'sandbox' || settings.templatesFile === null)
    throw new SlipwayError(
      'hub-needs-source',
      'The hub alone needs SHIPFOX_API_URL, SHIPFOX_PROVISIONER_TOKEN and SHIPFOX_PROVISIONER_TEMPLATES_FILE. `slipway sandbox` gives a source to try it with.',
    )
  const { address } = await openSource(settings, { protocol: 'v2', inContainers: true, onEvent: () => {} })
  const source = openDemandSource(settings, address, log)
  const { templates } = await loadTemplates(settings.templatesFile, settings)
  const limits = await source.authenticate(shutdown)
  checkTemplateCount(templates, limits.templatesMax)
  const token = settings.localAgentToken
  const hub = await openLocalHub({
    stateDir: join(settings.stateDir, 'hub'),
    listenOn: { host: '0.0.0.0', port: settings.hubPort },
    templates,
    sources: [source],
    hosts: token === null ? [] : [{ id: LOCAL_HOST, tags: [], token }],
    build: readVersion(),
    log,
    adapters: LOCAL_ADAPTERS,
  })
  log.info('hub.listening', { url: hub.url, hosts: token === null ? 0 : 1 })
  try {
    await hub.run({ drain: shutdown, stop: new AbortController().signal, stayUntil: 'launched' })
    return 0
  } finally {
    await hub.close()
  }
}
