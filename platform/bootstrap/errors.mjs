/** A failure to prepare this machine, with a message for the user. `signal` is set if a signal interrupted the work. */
export class BootstrapError extends Error {
  constructor(message, { cause, signal } = {}) {
    super(message, { cause })
    this.name = 'BootstrapError'
    this.signal = signal
  }
}
