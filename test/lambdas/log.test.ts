import { expect, it, vi } from 'vitest'
import { hostId } from '../../core/model/index.ts'
import { openLog } from '../../lambdas/wiring.ts'

it('a function writes its log past the console, each line with the time that Lambda asks for', () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  openLog().emit({ name: 'host.dead', host: hostId('build-1'), offlineSince: 5 })
  const [[line] = []] = write.mock.calls
  write.mockRestore()
  const { timestamp, ...rest } = JSON.parse(String(line)) as Record<string, unknown>
  expect(new Date(String(timestamp)).toISOString()).toBe(timestamp)
  expect(rest).toEqual({ level: 'error', event: 'host.dead', host: 'build-1', offlineSince: 5 })
  expect(String(line)).toMatch(/\}\n$/)
})
