import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../../platform/bootstrap/lock.mjs'

let folder: string
let lock: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-lock-'))
  lock = join(folder, 'deep', 'work.lock')
})
afterEach(async () => rm(folder, { recursive: true }))

async function leaveLock(owner: string): Promise<void> {
  await mkdir(lock, { recursive: true })
  await writeFile(join(lock, owner), '')
}

describe('a lock', () => {
  it('lets one after the other in, and leaves nothing behind', async () => {
    let inside = 0
    const most: number[] = []
    const work = async () => {
      most.push(++inside)
      await sleep(20)
      inside--
    }
    await Promise.all(Array.from({ length: 6 }, async () => withLock(lock, work)))
    expect(most).toEqual([1, 1, 1, 1, 1, 1])
    expect(await readdir(join(folder, 'deep'))).toEqual([])
  })

  it('is released when the work fails, and the failure comes through', async () => {
    const work = async () => {
      throw new Error('no luck')
    }
    await expect(withLock(lock, work)).rejects.toThrow('no luck')
    expect(existsSync(lock)).toBe(false)
  })

  it('of a process that is gone is taken over by exactly one of many', async () => {
    await leaveLock('4194304-1') // above the largest process number
    let inside = 0
    const work = async () => {
      expect(++inside).toBe(1)
      await sleep(20)
      inside--
    }
    await Promise.all(Array.from({ length: 6 }, async () => withLock(lock, work)))
    expect(existsSync(lock)).toBe(false)
  })

  it('of a dead process whose number now belongs to another one is taken over', async () => {
    await leaveLock(`${process.pid}-1`)
    expect(await withLock(lock, async () => 'in')).toBe('in')
  })

  it('that is empty, left by one who was killed while leaving, is taken over', async () => {
    await mkdir(lock, { recursive: true })
    expect(await withLock(lock, async () => 'in')).toBe('in')
  })

  it('that a living process keeps is given up in the end, with its number and place', async () => {
    const waitedFor: number[] = []
    await withLock(lock, async () => {
      const second = withLock(lock, async () => 'in', {
        onWait: (pid) => waitedFor.push(pid),
        waitMaxMs: 300,
      })
      await expect(second).rejects.toThrow(`Process ${process.pid} has held ${lock}`)
    })
    expect(waitedFor).toEqual([process.pid])
  })
})
