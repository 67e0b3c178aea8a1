import { messageOf, SlipwayError, type HostId, type Secret } from '../../core/model/index.ts'
import type { Randomness } from '../../core/ports/index.ts'
import { BACKOFF, backoffMs, spreadMs } from '../../core/concurrency/backoff.ts'
import { ConnectionRefused, connectHub, type HubConnection } from './connection.ts'
import { helloFacts, type HelloDeps } from './hello.ts'
import { Session, type SessionDeps, type SessionEnd } from './session.ts'
import { aborted } from '../../core/concurrency/aborted.ts'

/** A session that lasted this long shows that the hub works again. */
const HEALTHY_AFTER_MS = 60_000
/** API Gateway ends a connection after two hours (W1); renewing it earlier, at a random time, loses nothing. */
const RENEW_AFTER_MS = { min: 80 * 60_000, max: 110 * 60_000 }

export interface HubClientDeps extends SessionDeps, HelloDeps {
  readonly host: HostId
  readonly hubUrl: string
  readonly token: Secret
  readonly random: Randomness
}

/** Keeps one session with the hub while the agent runs. */
export class HubClient {
  readonly #deps: HubClientDeps
  #session: Session | null = null
  /** The facts that the current session's hello contained, as JSON. */
  #told: string | null = null

  constructor(deps: HubClientDeps) {
    this.#deps = deps
  }

  get connected(): boolean {
    return this.#session?.open ?? false
  }

  /** There is something new to send. */
  wake(): void {
    this.#session?.wake()
  }

  /** Whether this host takes runners has changed: the hub hears it at once. */
  sendHeartbeat(): void {
    this.#session?.sendHeartbeat()
  }

  /** Starts a new session if the facts in the hello have changed: only a hello can update them. */
  refreshFacts(): void {
    if (this.#told === null || JSON.stringify(helloFacts(this.#deps)) === this.#told) return
    this.#session?.close({ kind: 'renew', reason: "the host's facts changed" })
  }

  /** Throws when a person has to act: see `Agent.run`. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    for (let failures = 0; !signal.aborted; ) {
      const startedAtMs = clock.monotonicMs()
      const outcome = await this.#attempt(signal)
      if (signal.aborted) return
      if (outcome.kind === 'goodbye' && !outcome.retry) throw goodbyeError(this.#deps.host, outcome)
      const healthy = outcome.kind === 'renew' || clock.monotonicMs() - startedAtMs > HEALTHY_AFTER_MS
      failures = healthy ? 1 : failures + 1
      const pauseMs = outcome.kind === 'renew' ? 0 : this.#pauseMs(outcome, failures)
      log.emit({ name: 'agent.disconnected', ...describe(outcome), retryInMs: pauseMs })
      await clock.sleep(pauseMs, signal)
    }
  }

  #pauseMs(outcome: Attempt, failures: number): number {
    const policy = outcome.kind === 'refused' ? BACKOFF.refusedToken : BACKOFF.connect
    return backoffMs(policy, failures, this.#deps.random.unit())
  }

  async #attempt(signal: AbortSignal): Promise<Attempt> {
    const { hubUrl: url, token, log } = this.#deps
    let connection: HubConnection
    try {
      connection = await connectHub({ url, token, log, signal })
    } catch (error) {
      return this.#failedToConnect(error)
    }
    try {
      return await this.#converse(connection, signal)
    } catch (error) {
      return { kind: 'closed', reason: messageOf(error) }
    } finally {
      this.#session?.close({ kind: 'closed', reason: 'its end' })
      this.#session = null
      this.#told = null
      connection.close('session over')
    }
  }

  async #converse(connection: HubConnection, signal: AbortSignal): Promise<SessionEnd> {
    const { clock, random } = this.#deps
    const session = new Session((message) => connection.send(message), this.#deps)
    this.#session = session
    const over = new AbortController()
    void connection.closed.then((reason) => session.close({ kind: 'closed', reason }))
    void aborted(AbortSignal.any([signal, over.signal])).then(() =>
      session.close({ kind: 'closed', reason: 'the agent stopped' }),
    )
    const renewal = clock.sleep(spreadMs(RENEW_AFTER_MS, random.unit()), over.signal)
    void renewal.then(() => session.close({ kind: 'renew', reason: 'planned' }))
    const facts = helloFacts(this.#deps)
    this.#told = JSON.stringify(facts)
    connection.receive((message) => session.receive(message))
    try {
      return await session.run(facts)
    } finally {
      over.abort()
    }
  }

  #failedToConnect(error: unknown): Attempt {
    const { journal, host, log } = this.#deps
    const refused = error instanceof ConnectionRefused && (error.status === 401 || error.status === 403)
    if (!refused) return { kind: 'unreachable', reason: messageOf(error) }
    const problem = tokenRefused(host, error)
    if (journal.ledger.epoch === null) throw problem
    log.emit({ name: 'agent.token-refused', reason: problem.message })
    return { kind: 'refused', reason: problem.message }
  }
}

type Attempt =
  | SessionEnd
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

function describe(outcome: Attempt) {
  return outcome.kind === 'goodbye'
    ? { kind: outcome.kind, code: outcome.code, reason: outcome.message }
    : { kind: outcome.kind, reason: outcome.reason }
}

function tokenRefused(host: HostId, cause: Error): SlipwayError {
  return new SlipwayError(
    'agent-token-refused',
    `${cause.message} for the token of host "${host}". Enrol the host again for a new installer command, or correct the token.`,
    { cause },
  )
}

const GOODBYE_ADVICE: Readonly<Record<Extract<SessionEnd, { kind: 'goodbye' }>['code'], string>> = {
  superseded: 'Another agent serves this host: stop one of the two.',
  'host-unknown': 'The host was removed from the hub: add it again, or uninstall this agent.',
  'install-mismatch':
    'Another installation serves this host: stop that installation, or add a separate host for this machine.',
  'protocol-unsupported': 'Install releases of hub and agent that are at most one version apart.',
  'message-invalid':
    'Hub and agent disagree about the protocol: upgrade both to the same release and report this.',
}

function goodbyeError(host: HostId, goodbye: Extract<SessionEnd, { kind: 'goodbye' }>): SlipwayError {
  return new SlipwayError(
    `agent-${goodbye.code}`,
    `The hub ended the session of host "${host}" permanently: ${goodbye.message} ${GOODBYE_ADVICE[goodbye.code]} Running jobs continue.`,
  )
}
