export class BootstrapError extends Error {
  readonly signal: NodeJS.Signals | undefined
  constructor(message: string, options?: { cause?: unknown; signal?: NodeJS.Signals })
}
