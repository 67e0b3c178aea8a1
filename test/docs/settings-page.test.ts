import { describe, expect, it } from 'vitest'
import { SETTINGS } from '../../config/settings/table.ts'
import { describeSettings } from './settings-page.ts'

const settings = Object.values(SETTINGS)

describe('docs/settings.md', () => {
  it('is the table of settings (after a change: npm run docs)', async () => {
    await expect(describeSettings(settings)).toMatchFileSnapshot('../../docs/settings.md')
  })

  it('is another one as soon as a setting is added', () => {
    const added = { ...SETTINGS.stateDir, name: 'SLIPWAY_ADDED' }
    expect(describeSettings([...settings, added])).not.toBe(describeSettings(settings))
    expect(() => describeSettings([{ ...added, name: 'ADDED' }])).toThrow('ADDED belongs to no group')
  })
})
