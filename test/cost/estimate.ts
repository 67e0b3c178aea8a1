import { PRICES } from '../../lib/prices.ts'
import { add, type Bill, billOf, type BillLine, NOTHING, scale, type Usage } from './bill.ts'
import type { Mode } from './hub-in-virtual-time.ts'
import type { Options } from './options.ts'
import type { StackFacts } from './stack-facts.ts'

/** What was metered. */
export interface Measured {
  readonly idle: Readonly<Record<Mode, { readonly usage: Usage; readonly metrics: number }>>
  readonly perThousandJobs: { readonly usage: Usage; readonly metrics: number }
}

export interface Priced {
  readonly list: Bill
  readonly freeTier: Bill
}

/** One line of the budgets, in dollars. */
export interface Budget {
  readonly what: string
  readonly most: number
  readonly is: number
  readonly holds: boolean
  /** What it is made of, most first: where to look when it doesn't hold. */
  readonly madeOf: readonly BillLine[]
}

export interface Estimate {
  readonly prices: { readonly region: string; readonly asOf: string }
  readonly options: Options
  readonly stack: StackFacts
  /** A month in which nothing waits. */
  readonly idle: Readonly<Record<Mode, Priced>>
  readonly perThousandJobs: Priced
  /** A month with the jobs that were asked for. */
  readonly month: Priced
  /** Of each day, in which the loop runs without pause. */
  readonly loopHoursPerDay: number
  readonly budgets: readonly Budget[]
}

const DAYS = 730 / 24
const HOURS = 24
/** For this long after the last work the loop of `auto` goes on. */
const LOOKS_BACK_HOURS = 0.25

const BUDGETS = { economy: 1, auto: 4, continuous: 10, cloudWatch: 5, thousandJobs: 0.02 } as const
/** The budgets are for this many hosts. */
export const BUDGET_HOSTS = 10

export function estimate(options: Options, measured: Measured, stack: StackFacts): Estimate {
  const idleUsage = (mode: Mode): Usage => {
    const { usage, metrics } = measured.idle[mode]
    return add(usage, stack.standing, { ...NOTHING, metricMonths: metrics })
  }
  const idle = {
    auto: priced(idleUsage('auto')),
    continuous: priced(idleUsage('continuous')),
    economy: priced(idleUsage('economy')),
  }
  const loopHoursPerDay = loopHours(options)
  const share = loopHoursPerDay / HOURS
  const jobs = (options.jobsPerDay * DAYS) / 1_000
  const busyMetrics = Math.max(0, measured.perThousandJobs.metrics - measured.idle.continuous.metrics)
  const month = add(
    scale(idleUsage(options.mode), 1 - share),
    scale(
      add(idleUsage('continuous'), { ...NOTHING, metricMonths: options.jobsPerDay === 0 ? 0 : busyMetrics }),
      share,
    ),
    scale(measured.perThousandJobs.usage, jobs),
  )
  const perThousandJobs = priced(measured.perThousandJobs.usage)
  return {
    prices: { region: PRICES.region, asOf: PRICES.asOf },
    options,
    stack,
    idle,
    perThousandJobs,
    month: priced(month),
    loopHoursPerDay,
    budgets: [
      ...(['economy', 'auto', 'continuous'] as const).map((mode) =>
        budget(`core, idle, ${mode}`, BUDGETS[mode], idle[mode].list, 'core'),
      ),
      budget(`CloudWatch, idle, ${options.mode}`, BUDGETS.cloudWatch, idle[options.mode].list, 'cloudWatch'),
      budget('core, 1,000 jobs', BUDGETS.thousandJobs, perThousandJobs.list, 'core'),
    ],
  }
}

/** Jobs that come evenly: those that are close together keep the loop running between them. */
export function loopHours({
  mode,
  jobsPerDay,
  hoursWithJobs,
}: Pick<Options, 'mode' | 'jobsPerDay' | 'hoursWithJobs'>): number {
  switch (mode) {
    case 'continuous':
      return HOURS
    case 'economy':
      return 0
    case 'auto':
      return Math.min(HOURS, jobsPerDay * LOOKS_BACK_HOURS, hoursWithJobs + LOOKS_BACK_HOURS)
  }
}

function priced(usage: Usage): Priced {
  return { list: billOf(usage, { freeTier: false }), freeTier: billOf(usage, { freeTier: true }) }
}

function budget(what: string, most: number, bill: Bill, group: BillLine['group']): Budget {
  const is = group === 'core' ? bill.core : bill.cloudWatch
  const madeOf = bill.lines
    .filter((line) => line.group === group && line.dollars > 0)
    .toSorted((left, right) => right.dollars - left.dollars)
  return { what, most, is, holds: is <= most, madeOf }
}
