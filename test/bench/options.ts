import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { wholeNumber } from '../../cli/options.ts'
import type { Generation, Shape } from './bench.ts'

const PARTS = ['bursts', 'single', 'full-fleet', 'restart', 'removal', 'planner', 'memory'] as const
export type Part = (typeof PARTS)[number]

export interface Options {
  readonly parts: readonly Part[]
  readonly sizes: readonly number[]
  readonly protocols: readonly Generation[]
  readonly shape: Shape
  readonly bursts: number
  readonly trials: number
  readonly samples: number
  readonly restarts: number
  readonly cpuProf: string | null
  readonly logs: string | null
  readonly json: boolean
}

const USUAL = { bursts: 10, trials: 2, samples: 30, restarts: 3, jobs: [20, 100] }
/** Enough to see whether something broke; not enough to compare with a budget. */
const QUICK = { bursts: 2, trials: 1, samples: 6, restarts: 1, jobs: [20] }
const REPEATS_MAX = 1_000
/** More would not fit the memory of an ordinary machine. */
const JOBS_MAX = 500

interface Flags {
  readonly only?: readonly Part[]
  readonly jobs?: readonly number[]
  readonly protocols: readonly Generation[]
  readonly shape: Shape
  readonly bursts?: number
  readonly trials?: number
  readonly samples?: number
  readonly restarts?: number
  readonly quick: boolean
  readonly cpuProf?: string
  readonly logs?: string
  readonly json: boolean
}

/** Reads the command line; ends the process for `--help` and for mistakes, with a word about them. */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command('npm run bench --')
    .description(
      'Measures Slipway against what the engine alone takes, on this machine, with real containers.',
    )
    .option('--only <parts>', `some parts only, separated by commas: ${PARTS.join(', ')}`, someOf(PARTS))
    .option(
      '--bursts <count>',
      `bursts of each size and protocol [${USUAL.bursts}]`,
      wholeNumber(1, REPEATS_MAX),
    )
    .option('--jobs <sizes>', `jobs in a burst, separated by commas [${USUAL.jobs.join()}]`, wholeNumbers)
    .option('--protocols <generations>', 'wire protocols of the source', someOf(['v2', 'v1']), ['v2', 'v1'])
    .option(
      '--trials <count>',
      `runs of each way of the floor [${USUAL.trials}]`,
      wholeNumber(1, REPEATS_MAX),
    )
    .option(
      '--samples <count>',
      `samples of single and full-fleet [${USUAL.samples}]`,
      wholeNumber(1, REPEATS_MAX),
    )
    .option(
      '--restarts <count>',
      `times that the hub is killed [${USUAL.restarts}]`,
      wholeNumber(1, REPEATS_MAX),
    )
    .option('--quick', 'few repetitions and small bursts: a look, no verdict', false)
    .addOption(
      new Option('--shape <shape>', 'Slipway as one process (`slipway start`), or hub and agent apart')
        .choices(['together', 'apart'])
        .default('together'),
    )
    .option('--cpu-prof <folder>', "write CPU profiles of Slipway's processes there")
    .option('--logs <folder>', "keep the logs of Slipway's processes there")
    .option('--json', 'print the results as JSON in the last line; progress goes to stderr', false)
    .showHelpAfterError('(add --help for help)')
    .parse([...args], { from: 'user' })
  const flags = command.opts<Flags>()
  const defaults = flags.quick ? QUICK : USUAL
  return {
    parts: flags.only ?? PARTS,
    sizes: flags.jobs ?? defaults.jobs,
    protocols: flags.protocols,
    shape: flags.shape,
    bursts: flags.bursts ?? defaults.bursts,
    trials: flags.trials ?? defaults.trials,
    samples: flags.samples ?? defaults.samples,
    restarts: flags.restarts ?? defaults.restarts,
    cpuProf: flags.cpuProf === undefined ? null : resolve(flags.cpuProf),
    logs: flags.logs === undefined ? null : resolve(flags.logs),
    json: flags.json,
  }
}

function someOf<T extends string>(known: readonly T[]): (text: string) => readonly T[] {
  return (text) =>
    text.split(',').map((name) => {
      const found = known.find((one) => one === name.trim())
      if (found === undefined) throw new InvalidArgumentError(`Expected some of ${known.join(', ')}.`)
      return found
    })
}

function wholeNumbers(text: string): readonly number[] {
  return text.split(',').map((part) => wholeNumber(1, JOBS_MAX)(part.trim()))
}
