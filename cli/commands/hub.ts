import { join } from 'node:path'
import { checkTemplateCount, parseSettings, type Settings } from '../../config/index.ts'
import { LOCAL_HOST, SlipwayError } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { type LocalHubOptions, openLocalHub } from '../../local/hub.ts'
import { LOCAL_ADAPTERS, openDemandSource } from '../../local/adapters.ts'
import { addressOf } from '../../local/source-address.ts'
import { loadTemplates } from '../start/templates.ts'
import { readVersion } from '../../platform/version.ts'
import type { CommandIo } from './io.ts'
import { openLog } from './logging.ts'

const NEEDS =
  '`slipway hub` requires SHIPFOX_API_URL and SHIPFOX_PROVISIONER_TOKEN. Its templates come from SHIPFOX_PROVISIONER_TEMPLATES_FILE or `slipway templates apply`. To try it without Shipfox, run `slipway sandbox`, which starts a source.'

/** `slipway hub`: runs until it is shut down; running jobs continue after it exits. */
export async function hubCommand(
  io: CommandIo,
  adapters: LocalHubOptions['adapters'] = LOCAL_ADAPTERS,
): Promise<number> {
  const { settings, warnings } = parseSettings(io.env, { mayStoreTemplates: true })
  const log = openLog(settings, io)
  for (const text of warnings) log.emit({ name: 'settings.warning', text })
  if (settings.source.kind === 'sandbox') throw new SlipwayError('hub-needs-source', NEEDS)
  const source = openDemandSource(settings, addressOf(settings, settings.source), log)
  const own = await loadOwnTemplates(settings, log)
  checkTemplateCount(own.templates ?? [], (await source.authenticate(io.shutdown)).templatesMax)
  const token = settings.localAgentToken
  const hub = await openLocalHub({
    stateDir: join(settings.stateDir, 'hub'),
    listenOn: { host: '0.0.0.0', port: settings.hubPort },
    ...own,
    templateDefaults: { defaultMaxLifetimeMs: settings.runnerMaxLifetimeSeconds * 1000 },
    sources: [source],
    hosts: token === null ? [] : [{ id: LOCAL_HOST, tags: [], token }],
    build: readVersion(),
    log,
    adapters,
  })
  log.emit({ name: 'hub.listening', url: hub.url, hosts: token === null ? 0 : 1 })
  try {
    await hub.run({ drain: io.shutdown, stop: new AbortController().signal, stayUntil: 'launched' })
    return 0
  } finally {
    await hub.close()
  }
}

/** The templates of the file that the environment names; null = the hub uses the stored templates. */
async function loadOwnTemplates(
  settings: Settings,
  log: Log,
): Promise<Pick<LocalHubOptions, 'templates' | 'templatesFrom'>> {
  const { templatesFile: file } = settings
  if (file === null) return { templates: null }
  const { templates, warnings } = await loadTemplates(file, settings)
  for (const text of warnings) log.emit({ name: 'templates.warning', text })
  const templatesFrom = `${file} (SHIPFOX_PROVISIONER_TEMPLATES_FILE), read at start: change the file and restart the hub, or restart it without that variable and use \`slipway templates apply\``
  return { templates, templatesFrom }
}
