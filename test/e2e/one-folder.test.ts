import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPlace, type Place } from './support.ts'

let place: Place

beforeEach(async () => {
  place = await openPlace()
})
afterEach(() => place.close())

describe('one state folder', () => {
  it('K18: serves one start at a time; a second says so and leaves the first alone', async () => {
    const env = { SLIPWAY_ENGINE: 'process', SLIPWAY_LOG: 'json' }
    const first = place.slipway(['start', '--demo-jobs', '3', '--json'], env)
    await first.until('its jobs run', () => first.events('sandbox.job.claimed').length > 0)
    const second = place.slipway(['start', '--demo-jobs', '1', '--until-idle', '--json'], env)
    expect(await second.end()).toEqual({ code: 1, signal: null })
    expect(second.stderr).toMatch(/^slipway: .*(folder|\.slipway)/m)
    expect(second.stderr).not.toMatch(/^\s+at /m)
    expect(second.stdout).toBe('')

    await first.until('its jobs end', () => first.events('sandbox.job.finished').length === 3)
    expect(first.ending).toBeNull()
    first.signal('SIGTERM')
    expect(await first.end()).toEqual({ code: 0, signal: null })
    expect(first.summary).toMatchObject({ jobs: 3, finished: 3, containersLeft: 0 })
    expect(first.lines().filter(({ level }) => level === 'error')).toEqual([])
    expect(await place.processes()).toEqual([])
  })

  it('K18: serves one hub at a time, whichever command runs it', async () => {
    const sandbox = place.slipway(['sandbox', '--port', '0'], {
      SLIPWAY_STATE_DIR: `${place.path}/elsewhere`,
    })
    const env = await sandbox.until('the sandbox says how to reach it', () => {
      const lines = [...sandbox.stdout.matchAll(/^export (\w+)=(\S+)$/gm)]
      return lines.length >= 3 && Object.fromEntries(lines.map(([, name, value]) => [name, value]))
    })
    const labels = 'labels: [e2e], image: any, cpu: 1, memory: 64MiB, max_concurrency: 1'
    const templates = await place.write('templates.yaml', `templates:\n  any: { ${labels} }\n`)
    const hubEnv = {
      ...env,
      SHIPFOX_PROVISIONER_TEMPLATES_FILE: templates,
      SLIPWAY_HUB_PORT: '0',
      SLIPWAY_LOG: 'json',
    }
    const first = place.slipway(['hub'], hubEnv)
    await first.until('the first listens', () => first.events('hub.listening')[0])
    const second = place.slipway(['hub'], hubEnv)
    expect(await second.end()).toEqual({ code: 1, signal: null })
    expect(second.stderr).toMatch(/^slipway: .*(folder|\.slipway)/m)
    expect(second.stderr).not.toMatch(/^\s+at /m)
    expect(first.ending).toBeNull()
    for (const run of [first, sandbox]) {
      run.signal('SIGTERM')
      expect(await run.end()).toEqual({ code: 0, signal: null })
    }
  })
})
