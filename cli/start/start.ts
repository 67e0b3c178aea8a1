import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkTemplateCount, type Settings } from '../../config/index.ts'
import { isAssigned, LOCAL_HOST, type Secret, type Template } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'
import { newAgentToken } from '../../platform/agent-token.ts'
import { type MachineAgent, openAgent } from '../../agent/main.ts'
import { type EngineChoice, engineSettings } from '../agent/engine-settings.ts'
import { hostSettings } from '../agent/settings.ts'
import { systemClock, systemRandom } from '../../adapters/system/index.ts'
import { ensureDemoImage } from '../../demo/image.ts'
import { demoJobs } from '../../demo/jobs.ts'
import { demoTemplates } from '../../demo/templates.ts'
import { type LocalHub, openLocalHub } from '../../local/hub.ts'
import { createLog } from '../../adapters/log/index.ts'
import { LOCAL_ADAPTERS, openDemandSource } from '../../local/adapters.ts'
import { readVersion } from '../../platform/version.ts'
import type { Display } from './display.ts'
import { requireImages } from './images.ts'
import { Signals } from './signals.ts'
import { type OpenedSource, openSource } from './source.ts'
import { RunSummary, type Summary } from './run-summary.ts'
import { loadTemplates } from './templates.ts'
import { Closers } from '../../local/closers.ts'
import { untilQuiet } from './until-quiet.ts'

export interface StartOptions {
  readonly settings: Settings
  readonly engine: EngineChoice
  readonly protocol: 'v1' | 'v2'
  readonly demoJobs: number
  readonly untilIdle: boolean
  readonly display: Display
  /** Aborts at the first shutdown signal. */
  readonly shutdown: AbortSignal
}

/** The parts of one run, opened in this order and closed in reverse order. */
interface Parts {
  readonly log: Log
  readonly runSummary: RunSummary
  readonly opened: OpenedSource
  readonly agent: MachineAgent
  readonly token: Secret
  readonly hub: LocalHub
}

/**
 * Runs everything on one machine: a source (the sandbox unless the settings name one), the hub, an agent and its
 * engine. Resolves with the summary of the run once it is shut down or, with `untilIdle`, once nothing is left to do.
 */
export async function start(options: StartOptions): Promise<Summary> {
  const closers = new Closers()
  try {
    const parts = await open(options, closers)
    return await serve(options, parts)
  } finally {
    await closers.close()
  }
}

async function open(options: StartOptions, closers: Closers): Promise<Parts> {
  const { settings, display, shutdown } = options
  const runSummary = new RunSummary()
  const log = createLog((entry) => {
    runSummary.take(entry)
    display.log(entry)
  })
  const stateDir = settings.stateDir
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const ownTemplates = await loadOwnTemplates(options)
  const opened = await openSource(settings, {
    protocol: options.protocol,
    inContainers: options.engine.kind === 'docker',
    onEvent: display.job,
  })
  closers.add(() => opened.close())
  const source = openDemandSource(settings, opened.address, log)
  const limits = await source.authenticate(shutdown)
  const templates = ownTemplates ?? (await makeDemoTemplates(options))
  checkTemplateCount(templates, limits.templatesMax)
  const agent = await openLocalAgent(options, opened, log)
  await requireImages(agent.engine, templates.filter(runsHere), display.say, shutdown)
  const token = settings.localAgentToken ?? newAgentToken(LOCAL_HOST)
  const hub = await openLocalHub({
    stateDir: join(stateDir, 'hub'),
    listenOn: { host: '127.0.0.1', port: 0 },
    templates,
    templatesFrom:
      ownTemplates === null
        ? 'the built-in demo'
        : `${settings.templatesFile} (SHIPFOX_PROVISIONER_TEMPLATES_FILE), read at start: change the file and restart`,
    sources: [source],
    hosts: [{ id: LOCAL_HOST, tags: [], token }],
    build: readVersion(),
    log,
    adapters: LOCAL_ADAPTERS,
  })
  closers.add(() => hub.close())
  return { log, runSummary, opened, agent, token, hub }
}

async function openLocalAgent(
  { settings, engine }: StartOptions,
  opened: OpenedSource,
  log: Log,
): Promise<MachineAgent> {
  const chosen = engineSettings(settings, withHosts(engine, opened))
  const machine = hostSettings(settings, chosen, { host: LOCAL_HOST, agentVersion: readVersion() })
  return openAgent(machine, { clock: systemClock, random: systemRandom, log })
}

function runsHere(template: Template): boolean {
  return isAssigned(template, { id: LOCAL_HOST, tags: [] })
}

function withHosts(engine: EngineChoice, { extraHosts }: OpenedSource): EngineChoice {
  return engine.kind === 'docker' ? { ...engine, extraHosts } : engine
}

/** Null = the settings name no file, which only the sandbox allows. */
async function loadOwnTemplates({ settings, display }: StartOptions): Promise<readonly Template[] | null> {
  if (settings.templatesFile === null) return null
  const { templates, warnings } = await loadTemplates(settings.templatesFile, settings)
  for (const warning of warnings) display.say(`warning: ${warning}`)
  return templates
}

async function makeDemoTemplates({ engine, display }: StartOptions): Promise<readonly Template[]> {
  const image =
    engine.kind === 'docker' ? await ensureDemoImage(engine.dockerHost, display.say) : 'demo-runner'
  return demoTemplates(image)
}

async function serve(options: StartOptions, parts: Parts): Promise<Summary> {
  const { hub, runSummary, opened, agent, token, log } = parts
  const signals = new Signals(options.shutdown)
  const agentDone = signals.guard(agent.run({ hubUrl: hub.url, token }, signals.stop))
  const hubDone = signals.guard(hub.run({ drain: signals.drain, stop: signals.stop, stayUntil: 'ended' }))
  const jobs = opened.sandbox === null ? [] : await queueDemoJobs(options, parts, signals.drain)
  if (options.untilIdle) {
    await untilQuiet({ sandbox: opened.sandbox, runSummary, signal: signals.drain })
    signals.startDraining()
  }
  await hubDone
  signals.stopNow()
  await agentDone
  signals.throwIfFailed()
  const left = await agent.engine.list()
  for (const { runner, state } of left) log.emit({ name: 'runner.left', runner, state })
  const ids = new Set(jobs)
  const sandboxJobs = opened.sandbox === null ? null : opened.sandbox.jobs().filter((job) => ids.has(job.id))
  return runSummary.summary(sandboxJobs, left.length)
}

/** Queues the jobs once the host is online, so that the startup time is not part of their waiting times. */
async function queueDemoJobs(
  { demoJobs: count, display }: StartOptions,
  { hub, opened }: Parts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (count === 0 || opened.sandbox === null) return []
  while (!signal.aborted && (await hub.store.getHost(LOCAL_HOST))?.state !== 'online')
    await systemClock.sleep(50, signal)
  if (signal.aborted) return []
  const jobs = opened.sandbox.enqueue(demoJobs(count))
  display.say(`${jobs.length} demo jobs queued`)
  return jobs.map((job) => job.id)
}
