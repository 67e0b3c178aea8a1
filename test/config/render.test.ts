import { describe, expect, it } from 'vitest'
import { parseTemplates, renderTemplates, templatesAsJson } from '../../config/index.ts'

const { templates } = parseTemplates(
  `
defaults: { labels: [docker], memory: 512m }
templates:
  debug: { cpu: 1, max_concurrency: 2 }
  größe: { cpu: 0.5, memory: 1.5GiB, max_concurrency: 100, cost: 0.25, hosts: [build-1, gpu], per_host: 4 }
matrix:
  big:
    axes: { cpu: [8] }
    template:
      cpu: "\${{ cpu }}"
      memory: "\${{ cpu * 4 }}g"
      max_concurrency: 10
      target_concurrency: 1
      image: registry.example/runner:1
      hosts: all
      isolation: sysbox
      pull: { ttl: 24h }
      max_lifetime: 90m
`,
  'f',
)

describe('the table of templates', () => {
  it('is aligned, numbers to the right', () => {
    expect(renderTemplates(templates)).toBe(
      [
        'KEY    LABELS  IMAGE                      CPU   MEMORY  MAX  WARM  COST  HOSTS        PER HOST  ISOLATION  PULL            LIFETIME',
        'debug  docker  shipfox-runner:latest        1   512MiB    2     0     1  local               -  runc       if-not-present        1h',
        'größe  docker  shipfox-runner:latest      0.5  1536MiB  100     0  0.25  build-1,gpu         4  runc       if-not-present        1h',
        'big-8  docker  registry.example/runner:1    8    32GiB   10     1     8  all                 -  sysbox     ttl 1d               90m',
        '',
      ].join('\n'),
    )
  })

  it('is its titles alone without templates', () => {
    expect(renderTemplates([]).split('\n')).toHaveLength(2)
  })
})

describe('the JSON of templates', () => {
  it('is the templates themselves', () => {
    expect(JSON.parse(templatesAsJson(templates))).toEqual(templates)
    expect(templatesAsJson(templates)).toMatch(/^\[\n {2}\{\n {4}"key": "debug",\n[^]*\]\n$/)
  })
})
