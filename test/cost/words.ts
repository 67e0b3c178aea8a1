import type { BillLine } from './bill.ts'
import { BUDGET_HOSTS, type Budget, type Estimate, type Priced } from './estimate.ts'

const LARGEST = 3

export function describe(estimate: Estimate): string {
  const { prices, options, stack, idle, perThousandJobs, month, loopHoursPerDay, budgets } = estimate
  const { jobsPerDay, hosts, mode } = options
  const head = [
    `List prices of ${prices.region}, ${prices.asOf}; the free tier is what every account has for good.`,
    `The stack: ${stack.functions} functions of ${stack.sizes.memoryMb} MB, ${stack.alarmMetrics} alarm metrics, ${stack.dashboards} dashboard(s).`,
  ]
  const rows = [
    ['dollars', 'core', 'CloudWatch', 'core, free tier', 'CloudWatch, free tier'],
    ...Object.entries(idle).map(([name, each]) => row(`a month idle, ${hosts} hosts, ${name}`, each)),
    row('1,000 jobs more', perThousandJobs),
    row(`a month, ${hosts} hosts, ${jobsPerDay} jobs a day, ${mode}`, month),
  ]
  return [
    ...head,
    '',
    ...table(rows),
    '',
    `The last line in detail (the loop runs ${loopHoursPerDay.toFixed(1)} hours a day):`,
    ...table(month.list.lines.filter(({ amount }) => amount > 0).map(detail)),
    '',
    hosts === BUDGET_HOSTS ? 'Budgets:' : `Budgets (they are for ${BUDGET_HOSTS} hosts; these are ${hosts}):`,
    ...budgets.map(formatBudget),
    '',
  ].join('\n')
}

function row(name: string, { list, freeTier }: Priced): string[] {
  return [name, ...[list.core, list.cloudWatch, freeTier.core, freeTier.cloudWatch].map(money)]
}

function detail({ what, amount, unit, dollars }: BillLine): string[] {
  return [`  ${what}`, `${quantity(amount)} ${unit}`, money(dollars)]
}

function formatBudget({ what, most, is, holds, madeOf }: Budget): string {
  const verdict = `  ${holds ? 'holds ' : 'MISSED'}  ${what}: ${money(is)} of ${money(most)}`
  if (holds) return verdict
  const largest = madeOf
    .slice(0, LARGEST)
    .map((line) => `${line.what} ${money(line.dollars)} (${quantity(line.amount)} ${line.unit})`)
  return `${verdict}, most of it ${largest.join(', ')}`
}

function money(dollars: number): string {
  return `$${dollars.toFixed(Math.abs(dollars) < 1 ? 4 : 2)}`
}

function quantity(amount: number): string {
  return amount >= 100 ? Math.round(amount).toLocaleString('en-US') : String(Number(amount.toPrecision(3)))
}

/** The first column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  )
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}
