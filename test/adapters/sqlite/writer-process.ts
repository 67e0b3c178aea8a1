import { openSqliteStore } from '../../../adapters/sqlite/index.ts'
import { HOST_RUNNERS_MAX } from '../../../core/model/index.ts'
import { claim, claimsOf, H1, onlineHost, reserved, T0 } from '../../contract/store-fixtures.ts'

/** Claims slots and puts runners without end, in the file of its first argument, from a number on; says what is done. */
const [, , file = '', first = '1'] = process.argv
const WRITERS = 6

const { store } = openSqliteStore(file, { now: T0 })
const capacity = { runners: HOST_RUNNERS_MAX, cpuMillis: 500_000, memoryMib: 600_000 }
if ((await store.getHost(H1)) === null) await onlineHost(store, { facts: { capacity } })
let n = Number(first)

async function write(): Promise<void> {
  for (;;) {
    n += 1
    const id = n
    const host = await store.getHost(H1)
    if (host !== null && (await claim(store, host, claimsOf(id))) !== null) say('claimed', id)
    await store.putRunner(reserved(id), T0)
    say('put', id)
  }
}

function say(what: string, id: number): void {
  process.stdout.write(`${what} ${id}\n`)
}

await Promise.all(Array.from({ length: WRITERS }, () => write()))
