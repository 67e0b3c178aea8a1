import { describe, expect, it } from 'vitest'
import { RunnerEvents } from '../../agent/runner-events.ts'

describe('the events of an agent', () => {
  it('reach those who asked for their kind, in the order of subscription, before publish returns', () => {
    const events = new RunnerEvents()
    const heard: string[] = []
    events.subscribe('image-changed', ({ image }) => heard.push(`first ${image}`))
    events.subscribe('part-checked', ({ part }) => heard.push(part))
    events.subscribe('image-changed', ({ image }) => heard.push(`second ${image}`))
    events.publish({ kind: 'image-changed', image: 'a' })
    expect(heard).toEqual(['first a', 'second a'])
    events.publish({ kind: 'part-checked', part: 'disk', problem: null })
    expect(heard).toEqual(['first a', 'second a', 'disk'])
  })

  it('may cause further events, which are delivered at once', () => {
    const events = new RunnerEvents()
    const heard: string[] = []
    events.subscribe('part-checked', () => events.publish({ kind: 'readiness-changed' }))
    events.subscribe('readiness-changed', () => heard.push('readiness'))
    events.subscribe('part-checked', () => heard.push('part'))
    events.publish({ kind: 'part-checked', part: 'engine', problem: 'away' })
    expect(heard).toEqual(['readiness', 'part'])
  })

  it('have no effect without subscribers', () => {
    expect(() => new RunnerEvents().publish({ kind: 'engine-unreachable' })).not.toThrow()
  })
})
