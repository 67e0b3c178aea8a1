import { Command } from 'commander'
import { readVersion } from '../local/main.ts'
import { addAgentCommand } from './commands/agent.ts'
import { addHubCommand } from './commands/hub.ts'
import { addSandboxCommand } from './commands/sandbox.ts'
import { addStartCommand } from './commands/start.ts'
import { addTemplatesCommand } from './commands/templates.ts'

const program = new Command('slipway')
  .description('One throw-away container per waiting CI job, on Docker hosts that you own.')
  .version(readVersion())
  .showHelpAfterError('(add --help for help)')

addStartCommand(program)
addHubCommand(program)
addAgentCommand(program)
addSandboxCommand(program)
addTemplatesCommand(program)

await program.parseAsync()
