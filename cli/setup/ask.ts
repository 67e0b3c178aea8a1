import { createInterface } from 'node:readline/promises'

/** Asks a yes-or-no question on the terminal. Enter means yes, Ctrl+D means no. */
export async function askOnTerminal(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('no')))
  try {
    const answer = await Promise.race([terminal.question(`${question} [Y/n] `), closed])
    return /^(y|yes|)$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
