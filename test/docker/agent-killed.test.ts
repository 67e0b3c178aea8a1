import { describe, expect, it } from 'vitest'
import { ENGINE } from './support/engine-gate.ts'
import type { Fault } from './support/http-proxy.ts'
import { Scene } from './support/scene.ts'

/** Where an agent is with a runner when it dies: at a call that was not passed on, or whose answer it never got. */
type Step = readonly [kind: string, call: RegExp, fault: Fault]

const STARTING: readonly Step[] = [
  ['not-created', ENGINE.create, 'hang'],
  ['created', ENGINE.create, 'swallow'],
  ['not-started', ENGINE.start, 'hang'],
  ['started', ENGINE.start, 'swallow'],
]
const ENDING: readonly Step[] = [
  ['unreported', ENGINE.inspect, 'hang'],
  ['not-removed', ENGINE.remove, 'hang'],
  ['removed', ENGINE.remove, 'swallow'],
]

describe.concurrent('an agent that is killed with SIGKILL', () => {
  it.for([
    { at: 'starting', steps: STARTING },
    { at: 'reporting and removing', steps: ENDING },
  ])(
    'K17: at every call of $at runners: one end for each job, nothing left',
    { timeout: 240_000 },
    async ({ steps }, test) => {
      const kinds = steps.map(([kind]) => kind)
      const scene = await Scene.begin(test, { kinds: ['other', ...kinds] })
      const others = await scene.queue(['other', 'other'], 'sleep 6')
      await scene.running(others)
      const rules = steps.map(([kind, call, fault]) => {
        return { fault, rule: scene.gate.proxy.inject({ on: scene.gate.of(kind, call), fault, times: 1 }) }
      })
      const jobs = await scene.queue(kinds)
      await scene.until('the agent stands at every step', () =>
        rules.every(
          ({ fault, rule }) => rule.caught.length === 1 && (fault === 'hang' || rule.answered === 1),
        ),
      )
      await scene.killAgent()
      await scene.startAgent()
      expect(await scene.ended(jobs)).toEqual(jobs.map(() => 'finished'))
      expect(await scene.ended(others)).toEqual(['finished', 'finished'])
      await scene.expectSettled()
    },
  )
})
