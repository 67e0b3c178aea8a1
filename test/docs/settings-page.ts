import type { Setting } from '../../config/settings/table.ts'

interface Group {
  readonly title: string
  readonly about: string
  readonly prefix: string
}

const GROUPS: readonly Group[] = [
  {
    title: 'Of the Shipfox Docker provisioner',
    about: 'They keep their names and meanings, so an existing environment works unchanged.',
    prefix: 'SHIPFOX_',
  },
  { title: 'Of Slipway', about: "Slipway's own.", prefix: 'SLIPWAY_' },
  {
    title: 'Of the Docker command',
    about: 'Read where the variable of Slipway for the same thing is unset.',
    prefix: 'DOCKER_',
  },
]

const INTRODUCTION = `# Settings

Every environment variable that the commands of a hub or an agent on one machine read. An empty variable counts as unset. A wrong value is an error at start, which names the variable and what it takes; all errors are shown at once. An unknown variable that begins like one of ours is ignored with a warning.

This page is made from the settings table, \`config/settings/table.ts\`, by \`npm run docs\`. The settings of a hub on AWS are in [deploy.md](deploy.md).
`

/** docs/settings.md. Throws where a setting belongs to no group. */
export function describeSettings(settings: readonly Setting<unknown>[]): string {
  const stray = settings.find(({ name }) => !GROUPS.some(({ prefix }) => name.startsWith(prefix)))
  if (stray !== undefined) throw new Error(`${stray.name} belongs to no group of docs/settings.md.`)
  const sections = GROUPS.map(({ title, about, prefix }) => {
    const rows = settings.filter(({ name }) => name.startsWith(prefix)).map(rowOf)
    return [
      `## ${title}\n`,
      `${about}\n`,
      '| variable | meaning | value | default |',
      '| --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n')
  })
  return [INTRODUCTION, ...sections].join('\n')
}

function rowOf(setting: Setting<unknown>): string {
  const { name, meaning, default: fallback } = setting
  return `| ${[`\`${name}\``, meaning, valueOf(setting), fallback].map(cell).join(' | ')} |`
}

/** What the setting takes, as its own error message says it: an empty text is right for free texts alone. */
function valueOf({ kind }: Setting<unknown>): string {
  const result = kind('')
  return result.ok ? 'any text' : result.expected
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
