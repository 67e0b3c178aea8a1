import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, onTestFinished, vi } from 'vitest'
import { createDynamoStore, ensureTable } from '../../../adapters/dynamodb/index.ts'
import { levelOfEmulator } from '../../support/dynamodb-emulator/iterators.ts'
import { startEmulator } from '../../support/dynamodb-emulator/on-socket.ts'
import { T0 } from '../../contract/store-fixtures.ts'
import { eventually } from '../../support/eventually.ts'

it('the embedded database leaves no iterator open after a query or a scan, however many there are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-emulator-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { client, close } = await startEmulator(folder)
  onTestFinished(() => close())
  await ensureTable(client, 'fleet')
  const store = createDynamoStore({ client, table: 'fleet' })
  const { prototype } = levelOfEmulator().AbstractValueIterator
  const closing = vi.spyOn(prototype, 'close')
  onTestFinished(() => closing.mockRestore())
  for (let round = 0; round < 20; round += 1) {
    await store.readChanges(T0)
    await store.readFleet()
  }
  await eventually('40 iterators are closed', () => new Set(closing.mock.contexts).size >= 40)
})
