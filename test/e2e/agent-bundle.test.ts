import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { bundleAgent } from '../../bin/agent/bundle.ts'
import { LOCAL_HOST } from '../../core/model/index.ts'
import { newAgentToken } from '../../platform/agent-token.ts'
import { demoImage, statesOf, templatesOf, World } from './world.ts'

it("the agent's bundle serves the jobs of a hub, tells of those that fail, and leaves running ones be when it ends", async () => {
  const world = await World.open('v2')
  onTestFinished(() => world.close())
  const { place } = world
  const file = join(place.path, 'slipway-agent.mjs')
  await bundleAgent(file)
  const templates = await place.write('templates.yaml', templatesOf(await demoImage(), ['short', 'long']))
  const token = newAgentToken(LOCAL_HOST).reveal()
  const hub = place.slipway(['hub'], {
    ...world.env(templates),
    SLIPWAY_HUB_PORT: '0',
    SLIPWAY_LOCAL_AGENT_TOKEN: token,
  })
  const listening = await hub.until('the hub listens', () => hub.events('hub.listening')[0])
  const agentEnv = {
    SLIPWAY_HUB_URL: listening.url,
    SLIPWAY_AGENT_TOKEN: token,
    SLIPWAY_LOG: 'json',
    SLIPWAY_STATE_DIR: join(place.path, 'host'),
    SHIPFOX_PROVISIONER_DOCKER_FAILED_CONTAINER_RETENTION_MS: '0',
  }
  const agent = place.node([file], agentEnv)
  await agent.until('it is let in', () => agent.events('agent.connected')[0])
  expect(statesOf(await world.runJobs(['short', 'short', 'short'], 'true'))).toEqual([
    'finished',
    'finished',
    'finished',
  ])
  // The job ends its own runner; what becomes of the job is then the source's matter.
  world.queue(['short'], 'kill -9 $PPID')
  await agent.until('a runner that failed is cleared away', () => {
    const failed = agent.events('runner.exited').find(({ outcome }) => outcome === 'failed')
    return agent.events('runner.cleared').some(({ runner }) => runner === failed?.['runner'])
  })

  const jobs = world.queue(['long'], 'sleep 6')
  await agent.until('the long job runs', () => world.now(jobs)[0]?.state === 'claimed')
  agent.signal('SIGTERM')
  expect(await agent.end()).toEqual({ code: 0, signal: null })
  const next = place.node([file], agentEnv)
  expect(statesOf(await world.ended(jobs))).toEqual(['finished'])
  await next.until('nothing is left', () => next.events('agent.connected')[0])
  for (const run of [next, hub]) {
    run.signal('SIGTERM')
    expect(await run.end()).toEqual({ code: 0, signal: null })
  }
  for (const run of [agent, next]) {
    expect(run.stderr).toBe('')
    expect(run.output).not.toContain(token)
    expect(run.lines().filter(({ level }) => level === 'error')).toEqual([])
  }
})
