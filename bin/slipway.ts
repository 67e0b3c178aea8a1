import { Command } from 'commander'
import { readVersion } from '../platform/version.ts'
import { addAdminCommands } from '../cli/admin-commands.ts'
import { addRunCommands } from '../cli/run-commands.ts'

const program = new Command('slipway')
  .description('One throw-away container per waiting CI job, on Docker hosts that you own.')
  .version(readVersion())
  .showHelpAfterError('(add --help for help)')

await addRunCommands(program, process.argv.slice(2))
addAdminCommands(program)

await program.parseAsync()
