import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Env, type Place, Run } from '../../e2e/support.ts'

/** A process in a place, which ends with it; it inherits nothing but the search path. */
export function runIn(place: Place, [file = '', ...args]: readonly string[], env: Env): Run {
  const base = { PATH: process.env['PATH'], HOME: place.path, SLIPWAY_STATE_DIR: place.stateDir }
  return new Run(
    spawn(file, args, { cwd: place.path, env: { ...base, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
  )
}

/** The command line that runs a program of this repository; `path` is from this folder. */
export function nodeLine(path: string, ...args: readonly string[]): readonly string[] {
  const program = fileURLToPath(new URL(path, import.meta.url))
  return [process.execPath, '--disable-warning=ExperimentalWarning', program, ...args]
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
