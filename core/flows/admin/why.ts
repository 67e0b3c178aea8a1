import {
  canonicalLabels,
  type SourceId,
  type SourceStatus,
  type Template,
  unreachable,
} from '../../model/index.ts'
import { forecastJob, type Forecast, formatReason, ungranted } from '../../plan/index.ts'
import { FleetCache } from '../planner/fleet-cache.ts'
import type { FleetReader, SourceStatusStore } from '../../ports/index.ts'
import type { AdminPorts } from './ports.ts'

/** Why a job of one source has no container yet. */
export interface WhyAnswer {
  readonly source: SourceId
  /** Jobs of exactly these labels that are not granted yet, as of the source's last answer. */
  readonly waiting: number
  /** When the control loop last polled the source; null = never. */
  readonly checkedAt: number | null
  readonly forecast: Forecast
  readonly text: string
}

/** For each source: why a job of these labels waits, or where it would start at once. */
export async function explainLabels(
  ports: Pick<AdminPorts, 'clock' | 'sources'> & {
    readonly store: Pick<FleetReader, 'readFleet'> & Pick<SourceStatusStore, 'readSourceStatuses'>
  },
  templates: readonly Template[],
  asked: readonly string[],
): Promise<readonly WhyAnswer[]> {
  const labels = canonicalLabels(asked)
  const [fleet, stored] = await Promise.all([ports.store.readFleet(), ports.store.readSourceStatuses()])
  const ids = ports.sources.map(({ id }) => id).toSorted()
  // The last status of a source that was removed from the settings is still stored.
  const statuses = stored.filter(({ source }) => ids.includes(source))
  const cache = new FleetCache()
  cache.applyAll(fleet)
  const world = cache.world(ports.clock.now(), templates, [])
  return ids.map((source) => {
    const status = statuses.find((one) => one.source === source) ?? null
    const forecast = forecastJob(world, statuses, source, labels)
    const mine = status?.waiting.filter((jobs) => jobs.labels.join() === labels.join()) ?? []
    const waiting = mine.reduce((sum, jobs) => sum + ungranted(jobs), 0)
    const text = formatAnswer({ labels, waiting, source, status, forecast, isEmpty: templates.length === 0 })
    return { source, waiting, checkedAt: status?.checkedAt ?? null, forecast, text }
  })
}

interface Facts {
  readonly labels: readonly string[]
  readonly waiting: number
  readonly source: SourceId
  readonly status: SourceStatus | null
  readonly forecast: Forecast
  readonly isEmpty: boolean
}

function formatAnswer(facts: Facts): string {
  return [formatSource(facts), formatForecast(facts)].filter((sentence) => sentence !== '').join(' ')
}

function formatSource({ source, status }: Facts): string {
  if (status === null) return `The control loop has not polled source ${source} yet.`
  const { state } = status
  switch (state.kind) {
    case 'ok':
      return ''
    case 'secret-missing':
      return `No jobs of ${source} are claimed: its token is missing. Store it with \`slipway secret set ${source}\` (${state.parameter}).`
    case 'failing':
      return `No jobs of ${source} are claimed for now: ${state.message}`
    default:
      return unreachable(state)
  }
}

function formatForecast({ labels, waiting, source, forecast, isEmpty }: Facts): string {
  const jobs = waiting === 0 ? 'A job' : waiting === 1 ? '1 waiting job' : `${waiting} waiting jobs`
  const what = `${jobs} [${labels.join(', ')}] of ${source}`
  if (isEmpty)
    return `${what}: no templates are in force; apply a file with \`slipway templates apply FILE\`.`
  if (forecast.kind === 'waits') return `${what}: ${formatReason(forecast.reason)}.`
  const { template, host } = forecast
  const next = waiting > 1 ? ' The next one' : ''
  return `${what}: nothing blocks a start.${next || ' It'} would start at once, from template ${template} on host ${host}.`
}
