import type Docker from 'dockerode'

const REPO = 'slipway-bench-runner'

/**
 * The runner waits behind a gate until the benchmark opens it, so that containers that run do nothing while others are
 * still being started and timed. SIGWINCH opens it, for a process that has not set its trap yet ignores it.
 */
const GATED = "trap : WINCH; trap 'exit 143' TERM; sleep 900 & wait; exec /usr/bin/node /opt/runner/main.mjs"
const OPEN_GATE = 'SIGWINCH'

/** The demo runner's image with a gate before the runner: another entry point on the same layers. Resolves with its name. */
export async function makeGatedImage(docker: Docker, demoImage: string): Promise<string> {
  const tag = process.pid.toString(36) + Date.now().toString(36)
  const model = await docker.createContainer({ Image: demoImage })
  try {
    const changes = `ENTRYPOINT ${JSON.stringify(['/usr/bin/sh', '-c', GATED])}`
    await model.commit({ repo: REPO, tag, changes, pause: false })
  } finally {
    await model.remove({ force: true })
  }
  return `${REPO}:${tag}`
}

/** Lets the container's runner go; one that is gone, or has not got so far, is left alone. */
export async function openGate(docker: Docker, containerId: string): Promise<void> {
  await tolerating([404, 409], docker.getContainer(containerId).kill({ signal: OPEN_GATE }))
}

export async function removeContainer(docker: Docker, containerId: string): Promise<void> {
  await tolerating([404, 409], docker.getContainer(containerId).remove({ force: true, v: true }))
}

/** Every container of this image, whoever made it. */
export async function containersOf(docker: Docker, image: string): Promise<readonly string[]> {
  const found = await docker.listContainers({ all: true, filters: { ancestor: [image] } })
  return found.map(({ Id }) => Id)
}

async function tolerating(statuses: readonly number[], call: Promise<unknown>): Promise<void> {
  await call.catch((thrown: { statusCode?: number }) => {
    if (!statuses.includes(thrown.statusCode ?? 0)) throw thrown
  })
}
