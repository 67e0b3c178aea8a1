import { describe, expect, it } from 'vitest'
import { describeDifference, parseTemplates } from '../../config/index.ts'
import type { Template } from '../../core/model/index.ts'

const BASE = 'labels: [a], image: "i:1", cpu: 1, memory: 1GiB, max_concurrency: 2'

function templates(lines: Readonly<Record<string, string>>): readonly Template[] {
  const text = Object.entries(lines).map(([key, fields]) => `  ${key}: { ${fields} }\n`)
  return parseTemplates(`templates:\n${text.join('')}`, 'test.yaml').templates
}

describe('the difference of two sets of templates', () => {
  it('is nothing where nothing is different, whatever the order', () => {
    const before = templates({ one: BASE, two: BASE })
    expect(describeDifference(before, templates({ two: BASE, one: BASE }))).toEqual([])
  })

  it('names what is new, what is gone, and what changed, by the words of the file', () => {
    const before = templates({ one: BASE, two: BASE })
    const after = templates({ two: `${BASE}, hosts: [big], per_host: 1, max_lifetime: 2h`, three: BASE })
    expect(describeDifference(before, after)).toEqual([
      '- one: is removed',
      '~ two: hosts local → big; per_host no cap → 1; max_lifetime 1h → 2h',
      '+ three: is new ([a], i:1, 1 vCPU, 1GiB, up to 2)',
    ])
  })

  it('tells no values of the environment', () => {
    const before = templates({ one: `${BASE}, env: { A: canary1, B: x, C: same }` })
    const after = templates({ one: `${BASE}, env: { A: canary2, D: canary3, C: same }` })
    const [line] = describeDifference(before, after)
    expect(line).toBe('~ one: env A has a new value; env B is removed; env D is new')
  })

  it('tells of every field that a template has', () => {
    const before = templates({ one: BASE })
    const after = templates({
      one:
        'labels: [b], image: "i:2", pull: always, cpu: 2, memory: 2GiB, max_concurrency: 3, target_concurrency: 1, ' +
        'cost: 9, isolation: sysbox, hosts: all, per_host: 1, max_lifetime: 2h, stop_timeout: 1m, sources: [s], env: { A: x }',
    })
    const told = describeDifference(before, after).join()
    const fields = [
      'labels',
      'image',
      'pull',
      'cpu',
      'memory',
      'max_concurrency',
      'target_concurrency',
      'cost',
    ]
    const more = ['isolation', 'hosts', 'per_host', 'max_lifetime', 'stop_timeout', 'sources', 'env']
    expect([...fields, ...more].filter((field) => !told.includes(`${field} `))).toEqual([])
  })
})
