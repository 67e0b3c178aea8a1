import { stdout } from 'node:process'

/** The runner's exit codes; `main.ts` describes them. */
export const EXIT = { ok: 0, failed: 1, misconfigured: 2, stopped: 143 } as const

/** Ends the runner with this message and exit code. */
export class RunnerFailure extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message)
    this.name = 'RunnerFailure'
    this.exitCode = exitCode
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : codeOf(error) || String(error)
}

export function say(message: string): void {
  stdout.write(`runner: ${message}\n`)
}
