import { Command, Option } from 'commander'
import { wholeNumber } from '../../cli/options.ts'
import { MODES } from '../../core/model/index.ts'
import type { Mode } from './hub-in-virtual-time.ts'

export interface Options {
  readonly jobsPerDay: number
  readonly hosts: number
  readonly mode: Mode
  /** In which the day's jobs come, evenly. */
  readonly hoursWithJobs: number
  readonly json: boolean
}

const JOBS_MAX = 1_000_000
/** More would take long to meter, and cost by the host as much as these do. */
const HOSTS_MAX = 200

export function parseOptions(args: readonly string[]): Options {
  return new Command('npm run cost --')
    .description('What a hub on AWS costs a month: metered in a run of its own handlers, at list prices.')
    .option('--jobs-per-day <count>', 'jobs on every day of the month', wholeNumber(0, JOBS_MAX), 200)
    .option('--hosts <count>', 'hosts whose agents are connected all the time', wholeNumber(1, HOSTS_MAX), 10)
    .addOption(
      new Option('--mode <mode>', 'how much the loop runs while nothing waits')
        .choices(MODES)
        .default('auto'),
    )
    .option('--hours-with-jobs <hours>', 'hours of the day in which the jobs come', wholeNumber(1, 24), 8)
    .option('--json', 'print the result as JSON in the last line; progress goes to stderr', false)
    .showHelpAfterError('(add --help for help)')
    .parse([...args], { from: 'user' })
    .opts<Options>()
}
