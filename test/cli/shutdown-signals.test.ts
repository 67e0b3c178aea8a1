import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'

const PROGRAM = `
import { handleShutdown } from '${new URL('../../cli/shutdown-signals.ts', import.meta.url).href}'
process.exitCode = await handleShutdown(async (shutdown) => {
  // A call that hangs and that nobody waits for any more.
  setInterval(() => {}, 1_000)
  const asked = new Promise((resolve) => shutdown.addEventListener('abort', resolve))
  console.log('working')
  await asked
  return 7
})
console.log('done')
`

it('S11: a program that was asked to end does so, whatever is still under way, with the code of its work', async () => {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', PROGRAM]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (text.includes('working')) child.kill('SIGTERM')
  })
  const ended = await once(child, 'close')
  expect(ended).toEqual([7, null])
  expect(said).toBe('working\ndone\n')
}, 10_000)
