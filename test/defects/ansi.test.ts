// What an agent says of itself is printed by the hub.
import { expect, it } from 'vitest'
import { textLine } from '../../adapters/log/index.ts'

it.fails('a line of the log holds no control characters, whatever an agent calls its version', () => {
  const agentVersion = '\u001B[2J\u001B]0;owned\u0007\u009B31m'
  const line = textLine({ at: 0, level: 'info', event: 'host.connected', fields: { agentVersion } })
  expect(line).not.toMatch(/\p{Cc}/u)
})
