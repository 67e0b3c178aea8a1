const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether the host name of a URL is this machine, so that what is sent there stays on it. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.has(hostname)
}
