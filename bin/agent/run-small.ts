/**
 * Flags that reduce V8's memory: a young generation of 1 MB that is collected often instead of growing, code optimized
 * for size, and no separate threads for garbage collection. The limit of the old generation stays the default.
 */
export const SMALL_FLAGS = ['--max-semi-space-size=1', '--optimize-for-size', '--single-threaded-gc']

/**
 * Settings of glibc, which otherwise keeps the memory of freed buffers: blocks of 32 KB or more are returned to the
 * system when freed, and threads share arenas. Other C libraries ignore them.
 */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768' }

/**
 * Replaces this process by itself with those settings (execve: same process id, output and environment), because both
 * are read only at process start. Does nothing if that was done already, if one of the flags was set by the user, or if
 * Node can't do it (before 22.15, and on Windows): the agent then works with more memory.
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
