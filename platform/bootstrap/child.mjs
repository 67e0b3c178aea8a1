import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** The terminal sends these to every process of its foreground group, so the child gets them without forwarding. */
const TERMINAL_SIGNALS = new Set(['SIGINT', 'SIGHUP'])

/** Time to read the rest of the output after a program has ended; more than enough for a loaded machine. */
const OUTPUT_GRACE_MS = 2_000

/**
 * Runs a program with this process's input and output, or passes its output to `onOutput`. Resolves with how it ended
 * (`code` or `signal`, the other is null) and `sent`, the last signal that this process received meanwhile. SIGINT,
 * SIGTERM and SIGHUP are forwarded to the program once each, and do not end this process.
 */
export function runChild(command, args, { onOutput, ...options } = {}) {
  const child = spawn(command, args, { stdio: onOutput ? ['ignore', 'pipe', 'pipe'] : 'inherit', ...options })
  child.stdout?.setEncoding('utf8').on('data', onOutput)
  child.stderr?.setEncoding('utf8').on('data', onOutput)
  const forwarding = forwardSignals(child)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, sent: forwarding.sent() }))
    child.once('exit', () => stopReadingSoon(child))
  }).finally(forwarding.stop)
}

/** A service that the program started may keep its output open for ever, so that `close` would never be emitted. */
function stopReadingSoon(child) {
  const timer = setTimeout(() => {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, OUTPUT_GRACE_MS)
  child.once('close', () => clearTimeout(timer))
}

/** Ends this process as another process ended, by signal if it was a signal, so that a shell sees the signal. */
export function endLike({ code, signal }) {
  if (signal) process.kill(process.pid, signal)
  else process.exit(code)
}

function forwardSignals(child) {
  const onTerminal = isInForeground()
  let sent = null
  const forward = (signal) => {
    sent = signal
    const isDelivered = onTerminal && TERMINAL_SIGNALS.has(signal)
    if (!isDelivered) child.kill(signal)
  }
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward)
  const stop = () => FORWARDED_SIGNALS.forEach((signal) => process.off(signal, forward))
  return { stop, sent: () => sent }
}

/** Whether this process is in the foreground group of a terminal, which gets Ctrl+C as a whole. */
function isInForeground() {
  try {
    return isForegroundStat(readFileSync('/proc/self/stat', 'utf8'))
  } catch {
    return process.stdin.isTTY === true // no /proc on this system
  }
}

/** Compares the process group (field 5 of proc(5)'s `stat`) with the terminal's foreground group (field 8). */
export function isForegroundStat(stat) {
  const [, , group, , terminal, foregroundGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return terminal !== '0' && group === foregroundGroup
}
