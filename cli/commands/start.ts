import { parseSettings } from '../../config/index.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { createDisplay, type Display } from '../start/display.ts'
import { start } from '../start/start.ts'
import type { Summary } from '../start/run-summary.ts'
import { chooseEngine } from './engine.ts'
import type { CommandIo } from './io.ts'

export interface StartFlags {
  readonly demoJobs?: number
  readonly untilIdle: boolean
  readonly json: boolean
  readonly yes: boolean
  readonly protocol: 'v1' | 'v2'
}

/** Default number of demo jobs with the sandbox: enough to see something run. */
const DEMO_JOBS_USUAL = 4

/** `slipway start`. Resolves with the exit code: with `untilIdle`, 0 only if every job finished. */
export async function startCommand(flags: StartFlags, io: CommandIo): Promise<number> {
  const { settings, warnings } = parseSettings(io.env)
  const isDemo = settings.source.kind === 'sandbox'
  if (!isDemo && flags.demoJobs !== undefined) {
    const what =
      '--demo-jobs queues jobs in the sandbox, but SHIPFOX_API_URL is set, so the source is not the sandbox. Remove one of the two.'
    throw new SlipwayError('demo-jobs-elsewhere', what)
  }
  const stream = flags.json ? io.stderr : io.stdout
  const display = createDisplay(settings.log === 'json' ? 'json' : stream.isTTY ? 'live' : 'plain', stream)
  try {
    for (const warning of warnings) display.say(`warning: ${warning}`)
    const engine = await chooseEngine(io, settings.engine, { isDemo, assumeYes: flags.yes, say: display.say })
    const demoJobs = flags.demoJobs ?? (isDemo ? DEMO_JOBS_USUAL : 0)
    const { protocol, untilIdle } = flags
    const summary = await start({
      settings,
      engine,
      protocol,
      demoJobs,
      untilIdle,
      display,
      shutdown: io.shutdown,
    })
    conclude(summary, flags, display, io)
    return untilIdle && !io.shutdown.aborted && summary.finished !== summary.jobs ? 1 : 0
  } finally {
    display.close()
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`
}

function conclude(summary: Summary, flags: StartFlags, display: Display, { stdout }: CommandIo): void {
  const { jobs, finished, failed, lost, containersLeft, queuedToRunningMs: waits } = summary
  const counts = `${jobs} jobs: ${finished} finished, ${failed} failed, ${lost} lost; ${containersLeft} containers left`
  const times =
    waits === null ? '' : `; queued to running: median ${seconds(waits.p50)}, p95 ${seconds(waits.p95)}`
  display.say(`${counts}${times}`)
  display.close()
  if (flags.json) stdout.write(`${JSON.stringify(summary)}\n`)
}
