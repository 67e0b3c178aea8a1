/**
 * What keeps V8 small: a young generation of 1 MB that is emptied often instead of growing, code and tables made for
 * size, and no threads of their own for collecting. The old generation keeps its usual bound, so nothing runs short.
 */
export const SMALL_FLAGS = ['--max-semi-space-size=1', '--optimize-for-size', '--single-threaded-gc']

/**
 * Without these, glibc keeps what buffers took: every piece of 32 KB or more goes back to the system when it is freed,
 * and threads share their pools. Other C libraries don't read them.
 */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768' }

/**
 * Starts this process again with those settings, in its own place: same process id, output and environment. Both are
 * read only while a process starts, so setting them later has no effect. Returns where that was done already, where
 * any of the flags was given by hand, and where Node can't do it (before 22.15, and on Windows): the agent then works
 * as well with more memory.
 */
export function runSmall(process: NodeJS.Process): void {
  const { execArgv, execPath, argv, env, platform } = process
  const isGiven = SMALL_FLAGS.some((flag) => execArgv.some((given) => nameOf(given) === nameOf(flag)))
  if (isGiven || platform === 'win32') return
  const args = [execPath, ...SMALL_FLAGS, ...execArgv, ...argv.slice(1)]
  process.execve?.(execPath, args, { ...ALLOCATOR, ...env })
}

function nameOf(flag: string): string {
  return flag.split('=', 1)[0] ?? flag
}
