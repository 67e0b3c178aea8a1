import { addHostRoute, listHostsRoute, removeHostRoute } from './hosts.ts'
import type { Run } from './parts.ts'
import { listRunnersRoute, listSecretsRoute, showRunnerRoute, whyRoute } from './reports.ts'
import { applyRoute, listVersionsRoute, showTemplatesRoute, undoRoute } from './templates.ts'

/** `*` matches one part of a path. */
export const ROUTES: readonly (readonly [method: string, path: string, run: Run])[] = [
  ['GET', '/api/templates', showTemplatesRoute],
  ['GET', '/api/templates/versions', listVersionsRoute],
  ['POST', '/api/templates/apply', applyRoute],
  ['POST', '/api/templates/undo', undoRoute],
  ['GET', '/api/hosts', listHostsRoute],
  ['POST', '/api/hosts', addHostRoute],
  ['DELETE', '/api/hosts/*', removeHostRoute],
  ['GET', '/api/runners', listRunnersRoute],
  ['GET', '/api/runners/*', showRunnerRoute],
  ['GET', '/api/why', whyRoute],
  ['GET', '/api/secrets', listSecretsRoute],
]

export function findRoute(method: string, path: string): { run: Run; param: string } | null {
  for (const [itsMethod, itsPath, run] of ROUTES) {
    if (itsMethod !== method) continue
    if (itsPath === path) return { run, param: '' }
    const prefix = itsPath.endsWith('*') ? itsPath.slice(0, -1) : null
    const rest = prefix !== null && path.startsWith(prefix) ? path.slice(prefix.length) : ''
    if (rest !== '' && !rest.includes('/')) return { run, param: rest }
  }
  return null
}
