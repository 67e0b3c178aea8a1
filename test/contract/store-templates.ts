import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseTemplates } from '../../config/index.ts'
import { TEMPLATE_VERSIONS_KEPT, type TemplateVersion } from '../../core/model/index.ts'
import { type Open, type OpenStore, SECOND, T0 } from './store-fixtures.ts'

const everyField = `
templates:
  gpu:
    labels: [gpu, linux]
    image: "registry.example/runner:1"
    cpu: 1.5
    memory: 2GiB
    max_concurrency: 4
    cost: 3
    isolation: sysbox
    hosts: [big, h1]
    per_host: 2
    env: { GREETING: "hellö" }
    pull: { ttl: 1h }
    sources: [shipfox]
`

export function describeTemplates(open: Open): void {
  describe('templates', () => {
    let opened: OpenStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('have no version before the first', async () => {
      const { store } = opened
      expect(await store.readTemplatesVersion()).toBe(0)
      expect(await store.readTemplates()).toBeNull()
      expect(await store.getTemplateVersion(1)).toBeNull()
      expect(await store.listTemplateVersions(10)).toEqual([])
    })

    it('are kept version by version, the newest in force', async () => {
      const { store } = opened
      expect(await store.putTemplateVersion(version(1), 0)).toBe(true)
      expect(await store.readTemplates()).toEqual(version(1))
      expect(await store.getTemplateVersion(1)).toEqual(version(1))
      expect(await store.putTemplateVersion(version(2), 1)).toBe(true)
      expect(await store.putTemplateVersion(version(3), 2)).toBe(true)
      expect(await store.readTemplatesVersion()).toBe(3)
      expect(await store.readTemplates()).toEqual(version(3))
      for (const n of [1, 2, 3]) expect(await store.getTemplateVersion(n)).toEqual(version(n))
      expect(await store.getTemplateVersion(4)).toBeNull()
      const facts = [3, 2, 1].map((n) => ({ version: n, storedAt: T0 + n * SECOND, storedBy: `ann-${n}` }))
      expect(await store.listTemplateVersions(10)).toEqual(facts)
      expect(await store.listTemplateVersions(2)).toEqual(facts.slice(0, 2))
    })

    it('D1: are stored once by a call that is repeated, and its number follows what it was based on', async () => {
      const { store } = opened
      expect(await store.putTemplateVersion({ ...version(1), version: 77 }, 0)).toBe(true)
      expect(await store.putTemplateVersion(version(1), 0)).toBe(true)
      expect(await store.listTemplateVersions(10)).toHaveLength(1)
      expect(await store.readTemplatesVersion()).toBe(1)
    })

    it('are not stored over a version that the writer has not seen', async () => {
      const { store } = opened
      expect(await store.putTemplateVersion(version(3), 2)).toBe(false)
      await store.putTemplateVersion(version(1), 0)
      await store.putTemplateVersion(version(2), 1)
      expect(await store.putTemplateVersion({ ...version(2), text: 'another' }, 1)).toBe(false)
      expect(await store.putTemplateVersion({ ...version(1), storedBy: 'bob' }, 0)).toBe(false)
      expect(await store.readTemplates()).toEqual(version(2))
      expect(await store.getTemplateVersion(1)).toEqual(version(1))
    })

    it('go to one of many writers at once, whole', async () => {
      const { store } = opened
      await store.putTemplateVersion(version(1), 0)
      const rivals = Array.from({ length: 8 }, (_, n) => ({
        ...version(2),
        text: `of ${n}`,
        storedBy: `${n}`,
      }))
      const stored = await Promise.all(rivals.map((rival) => store.putTemplateVersion(rival, 1)))
      expect(stored.filter(Boolean)).toHaveLength(1)
      expect(await store.readTemplates()).toEqual(rivals[stored.indexOf(true)])
      expect(await store.getTemplateVersion(1)).toEqual(version(1))
      expect(await store.listTemplateVersions(10)).toHaveLength(2)
    })

    it('D7: keep a bounded number of versions', async () => {
      const { store } = opened
      const newest = TEMPLATE_VERSIONS_KEPT + 2
      for (let n = 1; n <= newest; n += 1) await store.putTemplateVersion(version(n), n - 1)
      const kept = await store.listTemplateVersions(1_000)
      expect(kept).toHaveLength(TEMPLATE_VERSIONS_KEPT)
      expect(kept.at(-1)).toMatchObject({ version: 3 })
      expect(await store.getTemplateVersion(2)).toBeNull()
      expect(await store.getTemplateVersion(3)).toEqual(version(3))
    })

    it('are no part of the fleet', async () => {
      const { store } = opened
      await store.putTemplateVersion(version(1), 0)
      await store.putTemplateVersion(version(2), 1)
      const { hosts, runners, unreadable } = await store.readFleet()
      expect([hosts, runners, unreadable]).toEqual([[], [], []])
    })
  })
}

/** As it reads when it is stored as the version of this number. */
function version(n: number): TemplateVersion {
  const { templates } = parseTemplates(everyField, 'test.yaml')
  return {
    version: n,
    storedAt: T0 + n * SECOND,
    storedBy: `ann-${n}`,
    text: `# version ${n}\n${everyField}`,
    templates,
  }
}
