import { type Command, Option } from 'commander'
import { RUNNER_STATES } from '../core/model/index.ts'
import type { ChangeFlags, HubFlags } from './commands/hub-flags.ts'
import type { ListFlags } from './commands/runners.ts'
import { wholeNumber } from './options.ts'
import { runCommand } from './run-command.ts'

const VERSION_MAX = 999_999_999
const PAGE_MAX = 200

const WHICH_HUB = `
The hub: --hub, else SLIPWAY_API_URL (requests are signed with your AWS credentials, as with other AWS tools), else
the hub on this machine with the state folder SLIPWAY_STATE_DIR [.slipway].
`

const loadTemplates = () => import('./commands/templates.ts')
const loadHosts = () => import('./commands/hosts.ts')
const loadRunners = () => import('./commands/runners.ts')

/** The commands that query or change a hub, on this machine or on AWS. */
export function addAdminCommands(program: Command): void {
  addTemplates(program.command('templates').description('the templates that runners are made from'))
  addHosts(program.command('hosts').description('the machines that run containers'))
  addRunners(program.command('runners').description('the containers, one per job'))
  addSecret(program.command('secret').description("the tokens of a deployed hub's sources"))

  asking(program.command('why'))
    .description('why a job with these labels waits, or where it would start')
    .argument('<labels...>', 'the labels of the job, separated by spaces or commas')
    .addHelpText('after', examples('slipway why docker small', 'slipway why docker,small --json'))
    .action((labels: string[], flags: HubFlags) =>
      runCommand(async (io) => (await import('./commands/why.ts')).whyCommand(labels, flags, io)),
    )

  asking(program.command('doctor'))
    .description('check Docker, hub, clock, token, quota, images and disk, and say how to fix problems')
    .addHelpText('after', `\nThe exit code is 1 if a line says FAIL.\n`)
    .addHelpText(
      'after',
      examples('slipway doctor', 'slipway doctor --hub https://abc.execute-api.eu-central-1.amazonaws.com'),
    )
    .action((flags: HubFlags) =>
      runCommand(async (io) => (await import('./commands/doctor.ts')).doctorCommand(flags, io)),
    )
}

function addTemplates(templates: Command): void {
  templates
    .command('validate')
    .description('check a templates file and print what it expands to')
    .argument('<file>', 'a templates file (YAML)')
    .option('--json', 'print the templates as JSON', false)
    .addHelpText('after', examples('slipway templates validate templates.yaml'))
    .action((file: string, flags: { json: boolean }) =>
      runCommand(async (io) => (await loadTemplates()).validateCommand(file, flags, io)),
    )

  changing(templates.command('apply'))
    .description('show what a templates file would change, and put it into force')
    .argument('<file>', 'a templates file (YAML)')
    .addHelpText(
      'after',
      examples(
        'slipway templates apply templates.yaml',
        'slipway templates apply templates.yaml --yes --json',
      ),
    )
    .action((file: string, flags: ChangeFlags) =>
      runCommand(async (io) => (await loadTemplates()).applyCommand(file, flags, io)),
    )

  asking(templates.command('list'))
    .description('list the templates in force, and all stored versions')
    .addHelpText('after', examples('slipway templates list'))
    .action((flags: HubFlags) =>
      runCommand(async (io) => (await loadTemplates()).listVersionsCommand(flags, io)),
    )

  changing(templates.command('undo'))
    .description('put an earlier version back into force, stored as a new version')
    .option(
      '--to <version>',
      'the version to restore (default: the one before the current version)',
      wholeNumber(1, VERSION_MAX),
    )
    .addHelpText('after', '\nRunning it twice restores the current version: use --to to go further back.\n')
    .addHelpText('after', examples('slipway templates undo', 'slipway templates undo --to 3'))
    .action((flags: ChangeFlags & { to?: number }) =>
      runCommand(async (io) => (await loadTemplates()).undoCommand(flags, io)),
    )
}

function addHosts(hosts: Command): void {
  asking(hosts.command('add'))
    .description("add a host; prints its agent's token, which is shown only once")
    .argument('<name>', 'a name of your choice: a-z, 0-9 and "-"')
    .option('--tag <tag>', 'a tag that templates can list under "hosts"; may be repeated', oneMore, [])
    .addHelpText(
      'after',
      examples('slipway hosts add build-1', 'slipway hosts add build-2 --tag big --tag arm64'),
    )
    .action((name: string, flags: HubFlags & { tag: string[] }) =>
      runCommand(async (io) => (await loadHosts()).addHostCommand(name, flags, io)),
    )

  asking(hosts.command('list'))
    .description('list all hosts with their state, usage and problems')
    .addHelpText('after', examples('slipway hosts list'))
    .action((flags: HubFlags) => runCommand(async (io) => (await loadHosts()).listHostsCommand(flags, io)))

  changing(hosts.command('remove'))
    .description('remove a host: its token is revoked, and the runners on it are declared lost')
    .argument('<name>', 'the name of the host')
    .addHelpText('after', examples('slipway hosts remove build-1'))
    .action((name: string, flags: ChangeFlags) =>
      runCommand(async (io) => (await loadHosts()).removeHostCommand(name, flags, io)),
    )
}

function addRunners(runners: Command): void {
  const states = new Option('--state <state>', 'only runners in this state; live = all but gone')

  asking(runners.command('list'))
    .description(
      'list runners, newest first; finished ones are kept for half an hour, failed and lost ones for a day',
    )
    .addOption(states.choices(['live', ...RUNNER_STATES]))
    .option('--host <name>', 'only runners on this host')
    .option('--template <key>', 'only runners of this template')
    .option('--limit <count>', 'how many (default: 50)', wholeNumber(1, PAGE_MAX))
    .option('--after <runner>', 'start after this runner (next page)')
    .addHelpText(
      'after',
      examples('slipway runners list --state live', 'slipway runners list --host build-1 --limit 10'),
    )
    .action((flags: ListFlags) =>
      runCommand(async (io) => (await loadRunners()).listRunnersCommand(flags, io)),
    )

  asking(runners.command('show'))
    .description('everything that the hub knows about one runner, with its crash report if it failed')
    .argument('<runner>', 'the id of the runner')
    .addHelpText('after', examples('slipway runners show 0198f2c1-7a3e-7c44-9b5e-2f6d1a0c9e77'))
    .action((id: string, flags: HubFlags) =>
      runCommand(async (io) => (await loadRunners()).showRunnerCommand(id, flags, io)),
    )
}

function addSecret(secret: Command): void {
  asking(secret.command('set'))
    .description("store a source's token in the parameter that the hub's stack reads")
    .argument('<name>', "the source's id, or the full name of the parameter")
    .addHelpText(
      'after',
      '\nThe value is read from stdin or from a prompt without echo, never from the command line.\n',
    )
    .addHelpText('after', examples('slipway secret set shipfox', 'slipway secret set shipfox < token.txt'))
    .action((name: string, flags: HubFlags) =>
      runCommand(async (io) => (await import('./commands/secret.ts')).setSecretCommand(name, flags, io)),
    )
}

function asking(command: Command): Command {
  return command
    .option('--hub <url>', "URL of a deployed hub's API")
    .option('--json', 'print the answer as JSON', false)
    .addHelpText('after', WHICH_HUB)
}

function changing(command: Command): Command {
  return asking(command).option('-y, --yes', 'do not ask for confirmation', false)
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
}

/** Collects the values of an option that may be repeated. */
function oneMore(tag: string, tags: readonly string[]): readonly string[] {
  return [...tags, tag]
}
