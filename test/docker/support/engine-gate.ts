import { type Asked, HttpProxy } from './http-proxy.ts'

const CREATE = /^POST \/v[\d.]+\/containers\/create\b/
const OF_CONTAINER = /\/containers\/([^/?]+)/
const TOKEN = /^SHIPFOX_RUNNER_(?:BOOTSTRAP|REGISTRATION)_TOKEN=(.+)$/

/** The engine's socket with a gate in front of it, which knows the containers that pass. */
export class EngineGate {
  readonly proxy: HttpProxy
  /** Where to find it: `unix://…`. */
  readonly address: string
  readonly #known: Known

  static async open(folder: string, engineSocket: string): Promise<EngineGate> {
    const path = `${folder}/gate.sock`
    const known: Known = { templates: new Map(), tokens: new Map(), starts: new Map() }
    const proxy = await HttpProxy.open({
      target: { socketPath: engineSocket },
      listenOn: { path },
      onAnswer: (asked, status, body) => note(known, asked, status, body),
    })
    return new EngineGate(proxy, `unix://${path}`, known)
  }

  private constructor(proxy: HttpProxy, address: string, known: Known) {
    this.proxy = proxy
    this.address = address
    this.#known = known
  }

  /** Containers that the engine has made so far. */
  get made(): number {
    return [...this.#known.tokens.values()].reduce((sum, containers) => sum + containers.size, 0)
  }

  /** What must never be, by the engine's own answers: a token in two containers, a container started twice. */
  get doubles(): readonly string[] {
    const { tokens, starts } = this.#known
    const shared = [...tokens.values()].filter((containers) => containers.size > 1)
    const restarted = [...starts].filter(([, count]) => count > 1)
    return [
      ...shared.map((containers) => `one token in ${[...containers].join(' and ')}`),
      ...restarted.map(([container, count]) => `${container} started ${count} times`),
    ]
  }

  /** True of requests that match and are about a container of this template. */
  of(template: string, pattern: RegExp): (asked: Asked) => boolean {
    return (asked) => {
      if (!pattern.test(asked.line)) return false
      if (CREATE.test(asked.line)) return orderOf(asked).template === template
      return this.#known.templates.get(OF_CONTAINER.exec(asked.line)?.[1] ?? '') === template
    }
  }
}

/** The requests of an agent, by what they are for. */
export const ENGINE = {
  create: CREATE,
  start: /^POST \S+\/containers\/[^/]+\/start\b/,
  stop: /^POST \S+\/containers\/[^/]+\/stop\b/,
  inspect: /^GET \S+\/containers\/[^/]+\/json\b/,
  remove: /^DELETE \S+\/containers\//,
  list: /^GET \S+\/containers\/json\b/,
  events: /^GET \S+\/events\b/,
  image: /^GET \S+\/images\/.+\/json\b/,
  pull: /^POST \S+\/images\/create\b/,
  any: /./,
} as const

/** The name that a create asks for. */
export function nameIn({ line }: Asked): string {
  return new URL(line.split(' ')[1] ?? '', 'http://engine').searchParams.get('name') ?? ''
}

function orderOf({ body }: Asked): { template: string; token: string | null } {
  const { Labels, Env }: { Labels: Record<string, string>; Env: string[] } = JSON.parse(body)
  const { template } = JSON.parse(Labels['slipway.origin'] ?? '{}')
  const token = Env.flatMap((line) => TOKEN.exec(line)?.[1] ?? []).at(0) ?? null
  return { template, token }
}

interface Known {
  /** Containers by their name and by their id → the template that they are of. */
  readonly templates: Map<string, string>
  /** One-time tokens → the containers that were made with them. */
  readonly tokens: Map<string, Set<string>>
  /** Containers → how often they were started. */
  readonly starts: Map<string, number>
}

function note(known: Known, asked: Asked, status: number, body: string): void {
  if (status === 201 && CREATE.test(asked.line)) noteCreated(known, asked, body)
  if (status !== 204 || !ENGINE.start.test(asked.line)) return
  const container = OF_CONTAINER.exec(asked.line)?.[1] ?? ''
  known.starts.set(container, (known.starts.get(container) ?? 0) + 1)
}

function noteCreated({ templates, tokens }: Known, asked: Asked, body: string): void {
  const { Id }: { Id: string } = JSON.parse(body)
  const { template, token } = orderOf(asked)
  templates.set(Id, template)
  templates.set(nameIn(asked), template)
  if (token !== null) tokens.set(token, (tokens.get(token) ?? new Set()).add(Id))
}
