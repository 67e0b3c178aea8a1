import {
  type EpochMs,
  type HostId,
  type Runner,
  type RunnerId,
  type RunnerState,
  SlipwayError,
  type TemplateKey,
} from '../../model/index.ts'
import type { FleetReader, RecordStore } from '../../ports/index.ts'

interface ReadFleet {
  readonly store: Pick<FleetReader, 'readFleet'>
}

export interface RunnerQuery {
  readonly state?: RunnerState | 'live' | undefined
  readonly host?: HostId | undefined
  readonly template?: TemplateKey | undefined
  readonly limit: number
  /** The last runner of the previous page. */
  readonly after?: RunnerId | undefined
}

export interface RunnerPage {
  readonly runners: readonly Runner[]
  /** How many there are on all pages. */
  readonly total: number
  readonly isLast: boolean
}

/**
 * A page of runners, newest first: their ids sort by their time of birth. Those that finished are kept for half an
 * hour, other ends for a day.
 */
export async function listRunners({ store }: ReadFleet, query: RunnerQuery): Promise<RunnerPage> {
  const { state, host, template, limit, after } = query
  const isWanted = (runner: Runner): boolean =>
    (host === undefined || runner.host === host) &&
    (template === undefined || runner.template === template) &&
    (state === undefined || runner.state === state || (state === 'live' && runner.state !== 'gone'))
  const wanted = (await store.readFleet()).runners
    .filter(isWanted)
    .toSorted((left, right) => (left.id < right.id ? 1 : -1))
  const rest = after === undefined ? wanted : wanted.filter(({ id }) => id < after)
  return { runners: rest.slice(0, limit), total: wanted.length, isLast: rest.length <= limit }
}

export interface Step {
  readonly at: EpochMs
  readonly what: string
}

export interface RunnerReport {
  readonly runner: Runner
  readonly timeline: readonly Step[]
  /** The agent's crash report, as JSON text; null = none, or not complete yet. */
  readonly blackBox: string | null
}

/** Everything that the hub knows about one runner. Throws `runner-unknown`. */
export async function showRunner(
  { store }: ReadFleet & { readonly store: Pick<RecordStore, 'getCrashReport'> },
  id: RunnerId,
): Promise<RunnerReport> {
  const runner = (await store.readFleet()).runners.find((one) => one.id === id)
  if (runner === undefined)
    throw new SlipwayError(
      'runner-unknown',
      `There is no runner ${id}. Finished runners are kept for half an hour, failed and lost ones for a day. \`slipway runners list\` shows all that are kept.`,
    )
  return { runner, timeline: timelineOf(runner), blackBox: await store.getCrashReport(runner.host, id) }
}

function timelineOf(runner: Runner): readonly Step[] {
  const steps: Step[] = [{ at: runner.reservedAt, what: `a slot was claimed on host ${runner.host}` }]
  if (runner.state === 'dispatched') steps.push({ at: runner.dispatchedAt, what: 'its launch was sent' })
  if ('startedAt' in runner && runner.startedAt !== null)
    steps.push({ at: runner.startedAt, what: 'its container started' })
  if (runner.stop !== null)
    steps.push({ at: runner.stop.requestedAt, what: `a stop was ordered: ${runner.stop.reason}` })
  if (runner.state === 'gone')
    steps.push({ at: runner.goneAt, what: `it ended, ${runner.outcome}: ${runner.reason}` })
  return steps.toSorted((left, right) => left.at - right.at)
}
