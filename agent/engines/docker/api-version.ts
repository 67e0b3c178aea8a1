import { EngineError } from '../engine.ts'

/** The version that we know best: the least that Docker 29 accepts, and spoken since Docker 25. */
const PREFERRED = '1.44'
/** Docker 19.03: the last one before it lacks what a container spec relies on (private IPC, init, pids limit). */
const OLDEST = '1.40'

/**
 * Which API version to speak with an engine that offers a range. An engine that has dropped our preferred one is
 * spoken to in its oldest, the nearest to what we know. Throws `refused` for an engine that is too old.
 */
export function chooseApiVersion(offered: { newest: string; oldest: string }): string {
  if (compareVersions(offered.newest, OLDEST) < 0) {
    throw new EngineError(
      'refused',
      `This Docker Engine speaks API ${offered.newest}; Slipway needs ${OLDEST} (Docker 19.03) or newer. Upgrade Docker.`,
    )
  }
  if (compareVersions(offered.oldest, PREFERRED) > 0) return offered.oldest
  return compareVersions(offered.newest, PREFERRED) < 0 ? offered.newest : PREFERRED
}

function compareVersions(left: string, right: string): number {
  const [leftMajor, leftMinor] = numbersOf(left)
  const [rightMajor, rightMinor] = numbersOf(right)
  return leftMajor - rightMajor || leftMinor - rightMinor
}

function numbersOf(version: string): [major: number, minor: number] {
  const [major = NaN, minor = NaN] = version.split('.').map(Number)
  if (Number.isInteger(major) && Number.isInteger(minor)) return [major, minor]
  throw new EngineError('refused', `This Docker Engine reports an invalid API version: "${version}".`)
}
