import * as z from 'zod'
import { RunnerAnswer, type RunnerJson, RunnersAnswer } from '../../protocol/hub-api.ts'
import { openHubClient } from '../hub-client/client.ts'
import type { HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { ago, asJson, clockTime, printable, printableLines, table } from './print.ts'

export interface ListFlags extends HubFlags {
  readonly state?: string
  readonly host?: string
  readonly template?: string
  readonly limit?: number
  readonly after?: string
}

/** `slipway runners list`: newest first, one page. */
export async function listRunnersCommand(flags: ListFlags, io: CommandIo): Promise<number> {
  const query = new URLSearchParams()
  for (const name of ['state', 'host', 'template', 'limit', 'after'] as const) {
    const value = flags[name]
    if (value !== undefined) query.set(name, String(value))
  }
  const page = await openHubClient(flags, io).get(`/api/runners?${query.toString()}`, RunnersAnswer)
  if (flags.json) {
    io.stdout.write(asJson(page))
    return 0
  }
  if (page.total === 0)
    io.stderr.write(
      'No such runner. Finished runners are kept for half an hour, failed and lost ones for a day.\n',
    )
  else
    io.stdout.write(
      table(['RUNNER', 'STATE', 'TEMPLATE', 'HOST', 'SOURCE', 'RESERVED', 'END'], page.runners.map(row)),
    )
  if (page.next !== null)
    io.stderr.write(`${page.runners.length} of ${page.total}. Next page: --after ${page.next}\n`)
  return 0
}

function row(runner: RunnerJson): readonly string[] {
  const { state, template, host, source, reservedAt, outcome, code } = runner
  const end = outcome === null ? '' : outcome === 'finished' ? 'finished' : `${outcome}: ${code}`
  return [runner.runner, state, template, host, source, ago(reservedAt), end]
}

/** The part of a crash report that is shown as text; all other fields are shown as JSON. */
const CrashReport = z.object({ logTail: z.string().optional() }).catchall(z.json())

/** `slipway runners show ID`: everything that the hub knows about one runner. */
export async function showRunnerCommand(id: string, flags: HubFlags, io: CommandIo): Promise<number> {
  const {
    runner,
    timeline,
    blackBox: crashReport,
  } = await openHubClient(flags, io).get(`/api/runners/${encodeURIComponent(id)}`, RunnerAnswer)
  if (flags.json) {
    io.stdout.write(asJson({ runner, timeline, blackBox: crashReport }))
    return 0
  }
  const facts: readonly (readonly [string, string])[] = [
    ['runner', runner.runner],
    ['state', runner.state],
    ['template', runner.template],
    ['host', runner.host],
    ['source', runner.source],
    ['labels', runner.labels.join(', ')],
    ['size', `${runner.cpuMillis / 1000} vCPU, ${runner.memoryMib} MiB`],
    ...(runner.outcome === null ? [] : [['end', `${runner.outcome}: ${runner.reason ?? ''}`] as const]),
    ...(runner.exitCode === null ? [] : [['exit code', String(runner.exitCode)] as const]),
  ]
  const lines = [
    ...facts.map(([name, value]) => `${name.padEnd(10)}  ${printable(value)}`),
    '',
    ...timeline.map(({ at, what }) => `${clockTime(at)}  ${printable(what)}`),
    ...crashReportLines(crashReport),
  ]
  io.stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function crashReportLines(crashReport: unknown): readonly string[] {
  if (crashReport === null) return []
  const parsed = CrashReport.safeParse(crashReport)
  const { logTail = '', ...rest } = parsed.success ? parsed.data : { logTail: '', record: crashReport }
  const last =
    logTail === '' ? [] : ['', 'Last lines of its log:', ...printableLines(logTail.trimEnd()).map(indented)]
  return [...last, '', 'Crash report of its agent:', ...asJson(rest).trimEnd().split('\n').map(indented)]
}

function indented(line: string): string {
  return `  ${line}`
}
