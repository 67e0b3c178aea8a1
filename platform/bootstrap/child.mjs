import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** The kernel sends these to every process of a terminal's foreground group, so the child has them already. */
const TERMINAL_SIGNALS = new Set(['SIGINT', 'SIGHUP'])

/** What a program wrote before it ended is there at once; this leaves room for a machine under load. */
const OUTPUT_GRACE_MS = 2_000

/**
 * Runs a program with this process's input and output, or hands what it writes to `onOutput`. Resolves with how it
 * ended (`code` or `signal`, the other null) and with the last signal that this process was `sent` meanwhile.
 * SIGINT, SIGTERM and SIGHUP reach the program once each time they are sent, and never end this process first.
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

/** A service that the program left behind may hold its output open for ever, and then nothing would ever close. */
function stopReadingSoon(child) {
  const timer = setTimeout(() => {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, OUTPUT_GRACE_MS)
  child.once('close', () => clearTimeout(timer))
}

/** Ends this process as another one ended. A shell then sees "killed by SIGTERM", not merely a number. */
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

/** Whether this process belongs to the foreground group of a terminal, to which Ctrl+C goes as a whole. */
function isInForeground() {
  try {
    return isForegroundStat(readFileSync('/proc/self/stat', 'utf8'))
  } catch {
    return process.stdin.isTTY === true // no /proc on this system
  }
}

/** Reads proc(5)'s `stat` line: the process's group (field 5) against its terminal's foreground group (field 8). */
export function isForegroundStat(stat) {
  const [, , group, , terminal, foregroundGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return terminal !== '0' && group === foregroundGroup
}
