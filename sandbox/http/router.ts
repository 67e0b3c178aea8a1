import type { ProtocolGeneration } from '../types.ts'
import type { Route } from './call.ts'
import { provisionerRoutes } from './provisioner-routes.ts'
import { runnerRoutes } from './runner-routes.ts'
import { sandboxRoutes } from './sandbox-routes.ts'

const ALL_ROUTES: readonly Route[] = [...provisionerRoutes, ...runnerRoutes, ...sandboxRoutes]

export type Match = { readonly route: Route; readonly params: Readonly<Record<string, string>> }

/** The route for a method and path in a generation; null = 404 (also for a wrong method). */
export function matchRoute(protocol: ProtocolGeneration, method: string, path: string): Match | null {
  for (const route of ALL_ROUTES) {
    if (route.method !== method || !route.generations.includes(protocol)) continue
    const params = matchPath(route.path, path)
    if (params !== null) return { route, params }
  }
  return null
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? ''
    if (segment.startsWith(':') && value !== '') params[segment.slice(1)] = value
    else if (segment !== value) return null
  }
  return params
}
