import { type Command, Option } from 'commander'
import type { ChangeFlags, HubFlags } from './commands/hub-flags.ts'
import type { ListFlags } from './commands/runners.ts'
import { wholeNumber } from './options.ts'
import { runCommand } from './run-command.ts'

const VERSION_MAX = 999_999_999
const PAGE_MAX = 200

const WHICH_HUB = `
Which hub: --hub, else SLIPWAY_API_URL (requests are signed with your AWS credentials, as for other AWS tools); else
the one on this machine, by SLIPWAY_STATE_DIR [.slipway].
`

const loadTemplates = () => import('./commands/templates.ts')
const loadHosts = () => import('./commands/hosts.ts')
const loadRunners = () => import('./commands/runners.ts')

/** The commands that ask a hub, on this machine or on AWS. */
export function addAskingCommands(program: Command): void {
  addTemplates(program.command('templates').description('what runners are made from'))
  addHosts(program.command('hosts').description('the machines that run containers'))
  addRunners(program.command('runners').description('the containers, one per job'))
  addSecret(program.command('secret').description("the tokens of a deployed hub's sources"))

  asking(program.command('why'))
    .description('why a job with these labels waits, or where it would start')
    .argument('<labels...>', 'the labels of the job, with spaces or commas between them')
    .addHelpText('after', examples('slipway why docker small', 'slipway why docker,small --json'))
    .action((labels: string[], flags: HubFlags) =>
      runCommand(async (io) => (await import('./commands/why.ts')).whyCommand(labels, flags, io)),
    )

  asking(program.command('doctor'))
    .description('look at Docker, hub, clock, token, quota, images and disk, and say what to do')
    .addHelpText('after', `\nThe exit code is 1 where a line says FAIL.\n`)
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
    .description('what is in force, and the versions before it')
    .addHelpText('after', examples('slipway templates list'))
    .action((flags: HubFlags) =>
      runCommand(async (io) => (await loadTemplates()).listVersionsCommand(flags, io)),
    )

  changing(templates.command('undo'))
    .description('put an earlier version back into force, as a new one')
    .option(
      '--to <version>',
      'the version to bring back; the one before the current unless given',
      wholeNumber(1, VERSION_MAX),
    )
    .addHelpText('after', '\nDone twice, it is where it began: name a version to go further back.\n')
    .addHelpText('after', examples('slipway templates undo', 'slipway templates undo --to 3'))
    .action((flags: ChangeFlags & { to?: number }) =>
      runCommand(async (io) => (await loadTemplates()).undoCommand(flags, io)),
    )
}

function addHosts(hosts: Command): void {
  asking(hosts.command('add'))
    .description("let a machine in; prints its agent's token once")
    .argument('<name>', 'a name of your choice: a-z, 0-9 and "-"')
    .option('--tag <tag>', 'a tag that templates can name under "hosts"; may be given again', oneMore, [])
    .addHelpText(
      'after',
      examples('slipway hosts add build-1', 'slipway hosts add build-2 --tag big --tag arm64'),
    )
    .action((name: string, flags: HubFlags & { tag: string[] }) =>
      runCommand(async (io) => (await loadHosts()).addHostCommand(name, flags, io)),
    )

  asking(hosts.command('list'))
    .description('every host, what it holds, and what is wrong with it')
    .addHelpText('after', examples('slipway hosts list'))
    .action((flags: HubFlags) => runCommand(async (io) => (await loadHosts()).listHostsCommand(flags, io)))

  changing(hosts.command('remove'))
    .description('shut a host out; whatever runs there is written off')
    .argument('<name>', 'the name of the host')
    .addHelpText('after', examples('slipway hosts remove build-1'))
    .action((name: string, flags: ChangeFlags) =>
      runCommand(async (io) => (await loadHosts()).removeHostCommand(name, flags, io)),
    )
}

function addRunners(runners: Command): void {
  const states = new Option('--state <state>', 'only runners in this state; live = all but gone')

  asking(runners.command('list'))
    .description('runners, newest first; those that finished are kept for half an hour, other ends for a day')
    .addOption(states.choices(['live', 'reserved', 'dispatched', 'running', 'gone']))
    .option('--host <name>', 'only those of this host')
    .option('--template <key>', 'only those of this template')
    .option('--limit <count>', 'how many, 50 unless given', wholeNumber(1, PAGE_MAX))
    .option('--after <runner>', 'the page after this runner')
    .addHelpText(
      'after',
      examples('slipway runners list --state live', 'slipway runners list --host build-1 --limit 10'),
    )
    .action((flags: ListFlags) =>
      runCommand(async (io) => (await loadRunners()).listRunnersCommand(flags, io)),
    )

  asking(runners.command('show'))
    .description('everything that the hub knows of one runner, with what its agent recorded of a bad end')
    .argument('<runner>', 'its id')
    .addHelpText('after', examples('slipway runners show 0198f2c1-7a3e-7c44-9b5e-2f6d1a0c9e77'))
    .action((id: string, flags: HubFlags) =>
      runCommand(async (io) => (await loadRunners()).showRunnerCommand(id, flags, io)),
    )
}

function addSecret(secret: Command): void {
  asking(secret.command('set'))
    .description("store a source's token where the hub's stack looks for it")
    .argument('<name>', "the source's id, or the full name of the parameter")
    .addHelpText(
      'after',
      '\nThe value is read from stdin, or asked for without showing it; never from the command line.\n',
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
  return asking(command).option('-y, --yes', 'go on without asking', false)
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
}

/** Collects an option that may be given again. */
function oneMore(tag: string, tags: readonly string[]): readonly string[] {
  return [...tags, tag]
}
