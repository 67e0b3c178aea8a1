import type { Secret } from '../../core/model/secret.ts'
import { checkDemand, type PollResult } from '../../sandbox/rules/demand.ts'
import { claimJob, enqueueJobs } from '../../sandbox/rules/jobs.ts'
import {
  attachProviderRunner,
  mintRegistrationTokens,
  mintRunnerInstances,
} from '../../sandbox/rules/minting.ts'
import { installProvisioner } from '../../sandbox/rules/provisioner.ts'
import { reportRunners, type RunnerEvent } from '../../sandbox/rules/reports.ts'
import { enrolRunner, exchangeBootstrap, registerRunner } from '../../sandbox/rules/sessions.ts'
import { World } from '../../sandbox/rules/world.ts'
import { START_MS, TOKEN } from './client.ts'

/** Short names over the rules, with time in seconds since the start. */
export class Bench {
  readonly world: World
  at = 0

  constructor(protocol: 'v1' | 'v2') {
    this.world = new World(protocol, 60_000, START_MS)
    installProvisioner(this.world, TOKEN)
  }

  get now(): number {
    return START_MS + this.at * 1000
  }

  queue(labels: string[], count = 1): string[] {
    return enqueueJobs(
      this.world,
      Array.from({ length: count }, () => ({ labels, command: 'true' })),
      this.now,
    ).map((job) => job.id)
  }

  poll(
    templates: { labels: string[]; free: number }[],
    maxReservations = 100,
    ttlMs: number | null = null,
  ): PollResult {
    return checkDemand(this.world, { templates, maxReservations, reservationTtlMs: ttlMs }, this.now)
  }

  /** Counts granted per label set. */
  granted(templates: { labels: string[]; free: number }[], maxReservations = 100): Record<string, number> {
    const { reservations } = this.poll(templates, maxReservations)
    return Object.fromEntries(reservations.map(({ labels, count }) => [labels.join('+'), count]))
  }

  /** v1: mints and registers a runner; its session id. */
  registerV1(reservationId: string, runnerId: string, labels: string[]): string {
    const [minted] = mintRegistrationTokens(this.world, reservationId, [runnerId], this.now)
    return registerRunner(this.world, minted!.token, labels, this.now).session.id
  }

  /** v2: mints an instance and attaches the id; the instance's id and bootstrap token. */
  launchV2(reservationId: string | null, runnerId: string): { instanceId: string; token: Secret } {
    const [minted] = mintRunnerInstances(this.world, [{ reservationId }], this.now).instances
    attachProviderRunner(this.world, minted!.instanceId, runnerId)
    return minted!
  }

  /** v2: exchanges and enrols; whether the runner may register at once, and then its session id. */
  enrolV2(launched: ReturnType<Bench['launchV2']>, labels: string[]): string | null {
    exchangeBootstrap(this.world, launched.token, this.now)
    const activation = enrolRunner(this.world, launched.instanceId, labels, this.now)
    return activation === null ? null : registerRunner(this.world, activation, labels, this.now).session.id
  }

  claim(sessionId: string): string | null {
    return claimJob(this.world, sessionId, this.now)?.job.id ?? null
  }

  report(
    runnerId: string,
    state: RunnerEvent['state'],
    extra: Partial<RunnerEvent> = {},
  ): { accepted: number; reservationsReleased: number } {
    return reportRunners(this.world, [this.event(runnerId, state, extra)], this.now)
  }

  event(runnerId: string, state: RunnerEvent['state'], extra: Partial<RunnerEvent> = {}): RunnerEvent {
    const base = { providerRunnerId: runnerId, state, labels: ['linux'], reason: null, reservationId: null }
    return { ...base, reportedAt: this.now, ...extra }
  }
}

export const linux = (free: number): { labels: string[]; free: number } => ({ labels: ['linux'], free })

/** The code of the error that `act` throws. */
export function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'no error'
}
