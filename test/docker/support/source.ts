import type { Job, SandboxEvent, SandboxStats } from '../../../sandbox/index.ts'
import type { Place, Run } from '../../e2e/support.ts'
import { onBridge } from '../../e2e/world.ts'
import { nodeLine, runIn } from './processes.ts'
import type { LogLine } from '../../support/log-lines.ts'

export interface SourceOptions {
  readonly generation: 'v1' | 'v2'
  /** How long it waits for a job whose runner fell silent. */
  readonly jobLeaseMs: number
}

const OVER = ['finished', 'failed', 'cancelled', 'lost'] as const

export function isOver({ state }: Job): boolean {
  return OVER.some((over) => over === state)
}

/** What that process told of one thing, in its own words. */
function linesOf(run: Run, name: SandboxEvent['type'] | 'source.listening'): readonly LogLine[] {
  return run.lines().filter(({ event }) => event === name)
}

/** The sandbox source in a process of its own, seen through its own API and events. */
export class Source {
  readonly url: string
  readonly token: string
  readonly #run: Run

  static async start(place: Place, { generation, jobLeaseMs }: SourceOptions): Promise<Source> {
    const args = [generation, `${place.path}/source`, await onBridge(), String(jobLeaseMs)]
    const run = runIn(place, nodeLine('source-process.ts', ...args), {})
    const { url, token } = await run.until('the source listens', () => linesOf(run, 'source.listening')[0])
    return new Source(run, String(url), String(token))
  }

  private constructor(run: Run, url: string, token: string) {
    this.#run = run
    this.url = url
    this.token = token
  }

  events(type: SandboxEvent['type']): readonly LogLine[] {
    return linesOf(this.#run, type)
  }

  /** Queues a job of each kind; it runs the command and proves that it did. */
  async queue(kinds: readonly string[], command: string): Promise<readonly Job[]> {
    const jobs = kinds.map((kind) => ({
      labels: ['e2e', kind],
      command: `${command}; echo "$SLIPWAY_NONCE"`,
    }))
    const queued = await this.#ask<{ jobs: readonly Job[] }>('POST', { jobs })
    return queued.jobs
  }

  async cancel(jobs: readonly Job[]): Promise<void> {
    for (const { id } of jobs) await this.#ask('DELETE', undefined, `/${id}`)
  }

  async look(): Promise<{ jobs: readonly Job[]; stats: SandboxStats }> {
    return this.#ask('GET')
  }

  /** What was told of jobs that can't be: a job claimed twice, or ended twice, or not at all. */
  async oddities(): Promise<readonly string[]> {
    const { jobs } = await this.look()
    const told = (type: SandboxEvent['type']): readonly unknown[] =>
      this.events(type).map(({ jobId }) => jobId)
    const claims = told('job.claimed')
    const ends = OVER.flatMap((state) => told(`job.${state}`))
    const count = (ids: readonly unknown[], id: string): number => ids.filter((other) => other === id).length
    return jobs
      .filter(({ id }) => count(claims, id) > 1 || count(ends, id) !== 1)
      .map(({ id, labels }) => `${labels.join()} ${id}: ${count(claims, id)} claims, ${count(ends, id)} ends`)
  }

  async #ask<T>(method: string, body?: object, path = ''): Promise<T> {
    const answer = await fetch(`${this.url}/sandbox/jobs${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`The source answered ${answer.status}: ${await answer.text()}`)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own source in its own words
    return (await answer.json()) as T
  }
}
