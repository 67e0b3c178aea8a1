import { randomBytes } from 'node:crypto'
import { containerSpec } from '../../agent/engines/docker/index.ts'
import { LOCAL_HOST, newRunnerId, Secret, sourceId, templateKey } from '../../core/model/index.ts'
import { startTimeOf } from './engine-watch.ts'
import { type Fleet, RUNNER } from './fleet.ts'
import { removeContainer } from './image.ts'
import { eachOf } from './waiting.ts'

const FLOOR_INSTALL = 'bench-floor'
/** As the agent does, and as the engine likes it best. */
const REMOVALS_AT_ONCE = 4
const STARTS_AT_ONCE = 4

/**
 * What the engine alone takes: creates and starts of the same containers as Slipway's, some at once, and nothing else.
 * Resolves with the time from the first call to each container's `StartedAt`, in ms. The containers are gone then.
 */
export async function runFloor(fleet: Fleet, count: number, atOnce: number): Promise<readonly number[]> {
  const { docker, signal } = fleet.bench
  const requests = Array.from({ length: count }, () => request(fleet))
  const made: string[] = []
  const beganAt = Date.now()
  try {
    await eachOf(requests, atOnce, async (spec) => {
      signal.throwIfAborted()
      const container = await docker.createContainer(spec)
      made.push(container.id)
      await container.start()
    })
    const times: number[] = []
    for (const id of made) times.push((await startTimeOf(docker, id)) - beganAt)
    return times
  } finally {
    await eachOf(made, REMOVALS_AT_ONCE, (id) => removeContainer(docker, id))
  }
}

/**
 * What the engine alone takes to remove containers that ended together. Resolves with the time from the first call to
 * the end of each removal, in ms.
 */
export async function runRemovalFloor(fleet: Fleet, count: number): Promise<readonly number[]> {
  const { docker } = fleet.bench
  const made: string[] = []
  await eachOf(
    Array.from({ length: count }, () => request(fleet)),
    STARTS_AT_ONCE,
    async (spec) => {
      const container = await docker.createContainer(spec)
      made.push(container.id)
      await container.start()
    },
  )
  await eachOf(made, REMOVALS_AT_ONCE, async (id) => docker.getContainer(id).kill({ signal: 'SIGKILL' }))
  await eachOf(made, REMOVALS_AT_ONCE, async (id) => void (await docker.getContainer(id).wait()))
  const beganMs = performance.now()
  const times: number[] = []
  await eachOf(made, REMOVALS_AT_ONCE, async (id) => {
    await removeContainer(docker, id)
    times.push(performance.now() - beganMs)
  })
  return times
}

/** Made by the agent's own code, so that image, limits, network and all the rest are the same. */
function request({ bench, source }: Fleet): ReturnType<typeof containerSpec> {
  const runner = newRunnerId(Date.now(), randomBytes(10))
  const { template, labels, cpuMillis, memoryMib } = RUNNER
  const origin = {
    template: templateKey(template),
    source: sourceId('shipfox'),
    labels,
    reservation: runner,
    cpuMillis,
    memoryMib,
  }
  const { runnerApiUrl } = source.address
  return containerSpec(
    {
      runner,
      origin,
      image: bench.image,
      isolation: 'runc',
      env: {
        SHIPFOX_API_URL: runnerApiUrl,
        SHIPFOX_RUNNER_LABELS: labels.join(),
        SHIPFOX_POLL_MAX_DURATION_MS: '300000',
      },
      secretEnv: { SHIPFOX_RUNNER_BOOTSTRAP_TOKEN: new Secret(`sf_rbt_${'0'.repeat(43)}`) },
      startDeadlineMs: 120_000,
      maxLifetimeMs: 900_000,
      stopTimeoutMs: 10_000,
    },
    {
      install: FLOOR_INSTALL,
      host: LOCAL_HOST,
      network: null,
      extraHosts: source.extraHosts,
      logDriver: null,
      logOptions: {},
      defaultLogDriver: 'json-file',
    },
  )
}
