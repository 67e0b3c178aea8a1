/** The code of an error of Node or the system, such as `ENOENT`; null for anything else that was thrown. */
export function errnoOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown)) return null
  return typeof thrown.code === 'string' ? thrown.code : null
}

/** Whether a system error with one of these codes was thrown. */
export function isErrno(thrown: unknown, ...codes: readonly string[]): boolean {
  const code = errnoOf(thrown)
  return code !== null && codes.includes(code)
}
