import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createDynamoStore, ensureTable } from '../../adapters/dynamodb/index.ts'
import { LOCAL_ADAPTERS } from '../../local/adapters.ts'
import { hubDatabase } from '../../local/hub-database.ts'
import { openLocalHub } from '../../local/hub.ts'
import { addHost } from '../contract/store-fixtures.ts'
import { EMULATOR_FOLDER, startEmulator, TABLE } from '../support/dynamodb-emulator/on-socket.ts'

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-hub-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

/** As a version before SQLite leaves its folder. */
async function writeWithEmulator(stateDir: string): Promise<void> {
  const { client, close } = await startEmulator(join(stateDir, EMULATOR_FOLDER))
  await ensureTable(client, TABLE)
  await addHost(createDynamoStore({ client, table: TABLE }))
  await close()
}

async function contentsOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as const)),
  )
}

function openHub(stateDir: string) {
  return openLocalHub({
    stateDir,
    listenOn: { host: '127.0.0.1', port: 0 },
    templates: [],
    sources: [],
    hosts: [],
    build: '1',
    log: { emit() {} },
    adapters: LOCAL_ADAPTERS,
  })
}

it('O1: a folder whose state an earlier version wrote is refused, unchanged, with what to do', async () => {
  const stateDir = await newFolder()
  await writeWithEmulator(stateDir)
  const before = await contentsOf(stateDir)
  expect(before.size).toBeGreaterThan(2)
  const refused = await openHub(stateDir).catch((thrown: unknown) => thrown)
  expect(refused).toMatchObject({
    code: 'state-folder-outdated',
    message: expect.stringMatching(/earlier version once more, let its running jobs end.*SLIPWAY_STATE_DIR/s),
  })
  expect(await contentsOf(stateDir)).toEqual(before)
  // Once it is moved away, as the message says, the hub starts.
  await rm(join(stateDir, EMULATOR_FOLDER), { recursive: true })
  const hub = await openHub(stateDir)
  expect((await hub.store.readFleet()).hosts).toEqual([])
  await hub.close()
})

it('a hub keeps all of its state in one file', async () => {
  const stateDir = await newFolder()
  await mkdir(stateDir, { recursive: true })
  const hub = await openHub(stateDir)
  await addHost(hub.store)
  await hub.close()
  expect([...(await contentsOf(stateDir)).keys()]).toEqual([hubDatabase(stateDir)])
  const again = await openHub(stateDir)
  expect((await again.store.readFleet()).hosts).toHaveLength(1)
  await again.close()
})
