import type { Command } from 'commander'
import { parseSettings } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { createDisplay, type Display } from '../../local/start/display.ts'
import { start } from '../../local/start/start.ts'
import type { Summary } from '../../local/start/tally.ts'
import { chooseEngine } from './engine.ts'
import { protocolOption, settingsHelp, wholeNumber } from './options.ts'
import { runCommand } from './run.ts'

interface StartFlags {
  readonly demoJobs?: number
  readonly untilIdle: boolean
  readonly json: boolean
  readonly yes: boolean
  readonly protocol: 'v1' | 'v2'
}

/** Jobs that a first look shows when none were asked for. */
const DEMO_JOBS_USUAL = 4
const DEMO_JOBS_MAX = 10_000

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run everything on this machine: source, hub, agent and containers')
    .option('--demo-jobs <count>', 'queue this many jobs in the sandbox', wholeNumber(0, DEMO_JOBS_MAX))
    .option('--until-idle', 'exit once every job has ended; 0 only if each one finished', false)
    .option('--json', 'print a summary as JSON in the last line; progress goes to stderr', false)
    .option('-y, --yes', 'install and start Docker Engine without asking', false)
    .addOption(protocolOption())
    .addHelpText('after', settingsHelp(['SHIPFOX_', 'SLIPWAY_', 'DOCKER_HOST']))
    .action((flags: StartFlags) => runCommand((shutdown) => runStart(flags, shutdown)))
}

async function runStart(flags: StartFlags, shutdown: AbortSignal): Promise<number> {
  const { settings, warnings } = parseSettings(process.env)
  if (settings.source.kind !== 'sandbox' && flags.demoJobs !== undefined)
    throw new SlipwayError(
      'demo-jobs-elsewhere',
      '--demo-jobs fills the sandbox, but SHIPFOX_API_URL names a real source. Unset one of the two.',
    )
  const stream = flags.json ? process.stderr : process.stdout
  const display = createDisplay(settings.log === 'json' ? 'json' : stream.isTTY ? 'live' : 'plain', stream)
  try {
    for (const warning of warnings) display.say(`warning: ${warning}`)
    const engine = await chooseEngine(settings, { assumeYes: flags.yes, say: display.say })
    const demoJobs = flags.demoJobs ?? (settings.source.kind === 'sandbox' ? DEMO_JOBS_USUAL : 0)
    const { protocol, untilIdle } = flags
    const summary = await start({ settings, engine, protocol, demoJobs, untilIdle, display, shutdown })
    conclude(summary, flags, display)
    return flags.untilIdle && !shutdown.aborted && summary.finished !== summary.jobs ? 1 : 0
  } finally {
    display.close()
  }
}

function conclude(summary: Summary, flags: StartFlags, display: Display): void {
  const { jobs, finished, failed, lost, containersLeft, queuedToRunningMs: waits } = summary
  const counts = `${jobs} jobs: ${finished} finished, ${failed} failed, ${lost} lost; ${containersLeft} containers left`
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)}s`
  const times =
    waits === null ? '' : `; queued to running: median ${seconds(waits.p50)}, p95 ${seconds(waits.p95)}`
  display.say(`${counts}${times}`)
  display.close()
  if (flags.json) console.log(JSON.stringify(summary))
}
