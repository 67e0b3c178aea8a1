import { join } from 'node:path'
import { checkTemplateCount, parseSettings } from '../../config/index.ts'
import { LOCAL_HOST, SlipwayError } from '../../core/model/index.ts'
import { openLocalHub } from '../hub.ts'
import { LOCAL_ADAPTERS, openDemandSource, readVersion } from '../main.ts'
import { addressOf } from '../start/source.ts'
import { loadTemplates } from '../start/templates.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

const NEEDS =
  'The hub alone needs SHIPFOX_API_URL, SHIPFOX_PROVISIONER_TOKEN and SHIPFOX_PROVISIONER_TEMPLATES_FILE. `slipway sandbox` gives a source to try it with.'

/** `slipway hub`: serves until it is shut down; running jobs go on without it. */
export async function hubCommand(io: CommandIo): Promise<number> {
  const { settings, warnings } = parseSettings(io.env)
  const log = openLog(settings, io)
  for (const message of warnings) log.warn('settings.warning', { message })
  if (settings.source.kind === 'sandbox' || settings.templatesFile === null)
    throw new SlipwayError('hub-needs-source', NEEDS)
  const source = openDemandSource(settings, addressOf(settings, settings.source), log)
  const { templates, warnings: doubts } = await loadTemplates(settings.templatesFile, settings)
  for (const message of doubts) log.warn('templates.warning', { message })
  checkTemplateCount(templates, (await source.authenticate(io.shutdown)).templatesMax)
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
    await hub.run({ drain: io.shutdown, stop: new AbortController().signal, stayUntil: 'launched' })
    return 0
  } finally {
    await hub.close()
  }
}
