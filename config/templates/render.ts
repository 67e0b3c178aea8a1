import type { Assignment, PullPolicy, Template } from '../../core/model/index.ts'
import { formatDuration, formatMemory } from '../quantities.ts'

interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly cell: (template: Template) => string
}

const COLUMNS: readonly Column[] = [
  { title: 'KEY', align: 'left', cell: ({ key }) => key },
  { title: 'LABELS', align: 'left', cell: ({ labels }) => labels.join(',') },
  { title: 'IMAGE', align: 'left', cell: ({ image }) => image },
  { title: 'CPU', align: 'right', cell: ({ size }) => String(size.cpuMillis / 1000) },
  { title: 'MEMORY', align: 'right', cell: ({ size }) => formatMemory(size.memoryMib) },
  { title: 'MAX', align: 'right', cell: ({ maxConcurrency }) => String(maxConcurrency) },
  { title: 'WARM', align: 'right', cell: ({ targetConcurrency }) => String(targetConcurrency) },
  { title: 'COST', align: 'right', cell: ({ cost }) => String(cost) },
  { title: 'HOSTS', align: 'left', cell: ({ hosts }) => formatHosts(hosts) },
  { title: 'PER HOST', align: 'right', cell: ({ perHost }) => (perHost === null ? '-' : String(perHost)) },
  { title: 'ISOLATION', align: 'left', cell: ({ isolation }) => isolation },
  { title: 'PULL', align: 'left', cell: ({ pull }) => formatPull(pull) },
  { title: 'LIFETIME', align: 'right', cell: ({ maxLifetimeMs }) => formatDuration(maxLifetimeMs) },
]

/** The expanded templates as an aligned table with a line of titles, each line ended by a newline. */
export function renderTemplates(templates: readonly Template[]): string {
  const rows = [COLUMNS.map(({ title }) => title)]
  for (const template of templates) rows.push(COLUMNS.map(({ cell }) => cell(template)))
  const widths = COLUMNS.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, widthOf(row[column])), 0),
  )
  return rows.map((row) => renderRow(row, widths)).join('')
}

function renderRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => {
    const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell))
    return COLUMNS[column]?.align === 'right' ? padding + cell : cell + padding
  })
  return `${cells.join('  ').trimEnd()}\n`
}

/** In characters, not UTF-16 code units. */
function widthOf(cell = ''): number {
  return Array.from(cell).length
}

export function formatHosts(hosts: Assignment): string {
  return hosts.kind === 'named' ? hosts.namesOrTags.join(',') : hosts.kind
}

export function formatPull(pull: PullPolicy): string {
  return pull.kind === 'ttl' ? `ttl ${formatDuration(pull.ttlMs)}` : pull.kind
}

/** The expanded templates as indented JSON, with the field names of the core model. */
export function templatesAsJson(templates: readonly Template[]): string {
  return `${JSON.stringify(templates, null, 2)}\n`
}
