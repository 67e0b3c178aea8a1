/** A failure to prepare this machine. Its message is for people; `signal` is set when a signal cut the work short. */
export class BootstrapError extends Error {
  constructor(message, { cause, signal } = {}) {
    super(message, { cause })
    this.name = 'BootstrapError'
    this.signal = signal
  }
}
