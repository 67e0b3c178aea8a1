import type { Results, Verdict } from './results.ts'
import type { Spread } from './statistics.ts'

/** The results for people. */
export function describe(results: Results): string {
  const verdicts = verdictsOf(results)
  return [
    section('Machine', [machineLine(results)]),
    section('The engine alone', table(['jobs', 'at once', 'p50', 'p95'], floorRows(results))),
    section(
      'Bursts: queued → running, medians',
      table(
        ['jobs', 'protocol', 'floor p50', 'floor p95', 'p50', 'p95', 'ratio', 'CPU a launch'],
        burstRows(results),
      ),
    ),
    section('Planner', table(['hosts', 'jobs', 'templates', 'ask', 'claims'], plannerRows(results))),
    section('Others', table(['what', 'floor', 'slipway'], otherRows(results))),
    section('Budgets', table(['what', 'measured', 'budget', 'met'], verdicts.map(verdictRow))),
  ].join('')
}

function verdictsOf({ bursts, single, fullFleet, restart, removal, memory }: Results): readonly Verdict[] {
  return [
    ...bursts.flatMap(({ verdict }) => verdict ?? []),
    ...(single?.verdicts ?? []),
    ...(fullFleet?.verdicts ?? []),
    ...(restart?.verdicts ?? []),
    ...(removal === null ? [] : [removal.verdict]),
    ...(memory === null ? [] : [memory.verdict]),
  ]
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

/** Nothing for no rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return []
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function machineLine({ machine }: Results): string {
  const { cpus, cpuModel, memoryMib, kernel, node, engine, storageDriver, loadBefore } = machine
  const gib = (memoryMib / 1024).toFixed(1)
  return `${cpus} × ${cpuModel}, ${gib} GiB, Linux ${kernel}, Node ${node}, Docker Engine ${engine} (${storageDriver}), load ${loadBefore} before`
}

function floorRows({ floors }: Results): readonly (readonly string[])[] {
  return floors.map(({ jobs, atOnce, floorMs }) => [String(jobs), String(atOnce), ...both(floorMs)])
}

function burstRows({ bursts }: Results): readonly (readonly string[])[] {
  return bursts.map(({ jobs, protocol, floorMs, slipwayMs, ratioP95, cpuMsPerLaunch }) => [
    String(jobs),
    protocol,
    ...both(floorMs),
    ...both(slipwayMs),
    ratioP95.toFixed(2),
    ms(cpuMsPerLaunch),
  ])
}

function plannerRows({ planner }: Results): readonly (readonly string[])[] {
  return planner.map(({ hosts, jobs, templates, askMs, claimsMs }) => [
    String(hosts),
    String(jobs),
    String(templates),
    `${askMs} ms`,
    `${claimsMs} ms`,
  ])
}

function otherRows({ single, fullFleet, restart, removal, memory }: Results): readonly (readonly string[])[] {
  const rows: string[][] = []
  if (single !== null)
    rows.push(['single job: queued → running', said(single.floorMs), said(single.slipwayMs)])
  if (fullFleet !== null)
    rows.push(['full fleet: exit → next running', said(fullFleet.floorMs), said(fullFleet.slipwayMs)])
  for (const { moment, floorMs, restMs, lastMs, late, extra } of restart?.restarts ?? [])
    rows.push([
      `hub killed ${moment}: the rest runs`,
      ms(floorMs),
      `${ms(restMs)}, the last ${ms(lastMs)}; ${late} late, ${extra} extra`,
    ])
  if (removal !== null)
    rows.push(
      [`${removal.jobs} exits one by one: exit → removed`, '', said(removal.pacedMs)],
      [`${removal.jobs} exits together: exit → removed`, said(removal.floorMs), said(removal.atOnceMs)],
    )
  if (memory !== null)
    for (const [name, { idle, busy, peak }] of Object.entries({ hub: memory.hubMb, agent: memory.agentMb }))
      rows.push([
        `memory of the ${name}`,
        '',
        `idle ${idle} MB, ${memory.containers} containers ${busy} MB, at most ${peak} MB`,
      ])
  return rows
}

function verdictRow({ what, measured, budget, met }: Verdict): readonly string[] {
  return [what, String(measured), String(budget), met ? 'yes' : 'NO']
}

function said({ p50, p95, mean }: Spread & { readonly mean?: number }): string {
  const about = mean === undefined ? '' : `, mean ${ms(mean)}`
  return `p50 ${ms(p50)}, p95 ${ms(p95)}${about}`
}

function both({ p50, p95 }: Spread): readonly string[] {
  return [ms(p50), ms(p95)]
}

function ms(value: number): string {
  return `${Math.round(value)} ms`
}
