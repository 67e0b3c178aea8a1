import { Command } from 'commander'
import { readVersion } from '../platform/version.ts'
import { addAskingCommands } from '../cli/admin-commands.ts'
import { addServingCommands } from '../cli/run-commands.ts'

const program = new Command('slipway')
  .description('One throw-away container per waiting CI job, on Docker hosts that you own.')
  .version(readVersion())
  .showHelpAfterError('(add --help for help)')

await addServingCommands(program, process.argv.slice(2))
addAskingCommands(program)

await program.parseAsync()
