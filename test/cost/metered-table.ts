import { Readable } from 'node:stream'
import { type AttributeValue, type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { encodedBytes } from '../../adapters/dynamodb/sizes.ts'
import { tableDefinition } from '../../adapters/dynamodb/index.ts'

type Item = Readonly<Record<string, AttributeValue>>

const READ_UNIT_BYTES = 4_096
const WRITE_UNIT_BYTES = 1_024

/** Units of the table and of its index, as on-demand tables are billed. */
export class TableMeter {
  writeUnits = 0
  readUnits = 0
  calls = 0
  /** Calls under way: time in a simulation must not pass meanwhile. */
  inFlight = 0

  /**
   * Counts every request of `client`, as it goes over the wire, and has it take `latency`. `beside` reads the items
   * before and after, and is not counted.
   */
  watch(client: DynamoDBClient, beside: DynamoDBClient, latency: () => Promise<void> = async () => {}): void {
    const { requestHandler } = client.config
    const handle: typeof requestHandler.handle = async (request, options) => {
      this.inFlight += 1
      this.calls += 1
      try {
        const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
        const input: Input = JSON.parse(new TextDecoder().decode(request.body as Uint8Array))
        if (!WRITES.has(operation)) {
          const answer = await requestHandler.handle(request, options)
          const bytes = await bytesIn(answer.response.body as Readable)
          answer.response.body = Readable.from([bytes])
          this.readUnits += readUnits(operation, input, JSON.parse(bytes.toString('utf8')))
          return answer
        }
        const before = await itemOf(beside, input)
        const answer = await requestHandler.handle(request, options)
        // A write whose condition fails is billed as well.
        this.writeUnits += writeUnits(before, await itemOf(beside, input))
        return answer
      } finally {
        this.inFlight -= 1
        await latency()
      }
    }
    client.config.requestHandler = new Proxy(requestHandler, {
      get(target, name) {
        if (name === 'handle') return handle
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

async function bytesIn(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

async function itemOf(client: DynamoDBClient, { TableName, Key, Item }: Input): Promise<Item | null> {
  const from = Key ?? Item ?? {}
  const key = Object.fromEntries([HASH, RANGE].map((name) => [name, from[name] as AttributeValue]))
  const found = await client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }))
  return found.Item ?? null
}

const WRITES: ReadonlySet<string> = new Set(['PutItem', 'UpdateItem', 'DeleteItem'])

interface Input {
  readonly TableName?: string
  readonly Key?: Record<string, AttributeValue>
  readonly Item?: Record<string, AttributeValue>
  readonly IndexName?: string
  readonly ConsistentRead?: boolean
  readonly RequestItems?: Readonly<
    Record<string, { readonly Keys?: readonly unknown[]; readonly ConsistentRead?: boolean }>
  >
}

interface Output {
  readonly Item?: Item
  readonly Items?: readonly Item[]
  readonly Responses?: Readonly<Record<string, readonly Item[]>>
}

const [HASH = '', RANGE = ''] = tableDefinition('').KeySchema.map(({ AttributeName }) => AttributeName)
const INDEX_KEYS =
  tableDefinition('').GlobalSecondaryIndexes[0]?.KeySchema.map(({ AttributeName }) => AttributeName) ?? []

/** A write costs by the larger of the item before and after it; the index pays for each line taken out or put in. */
export function writeUnits(before: Item | null, after: Item | null): number {
  const units = (item: Item | null): number =>
    item === null ? 0 : Math.ceil(bytesOf(item) / WRITE_UNIT_BYTES)
  const [old, now] = [lineOf(before), lineOf(after)]
  const lines = old === now ? 0 : [old, now].filter((line) => line !== null).length
  return Math.max(1, units(before), units(after)) + lines
}

/** What the index holds of an item; null = nothing. It has keys only, far below one unit. */
function lineOf(item: Item | null): string | null {
  if (item === null || INDEX_KEYS.some((name) => item[name] === undefined)) return null
  return JSON.stringify(INDEX_KEYS.map((name) => item[name]))
}

export function readUnits(operation: string, input: Input, output: Output): number {
  const rate = (consistent: boolean | undefined): number => (consistent === true ? 1 : 0.5)
  const units = (bytes: number): number => Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES))
  if (operation === 'BatchGetItem') {
    return Object.entries(input.RequestItems ?? {}).reduce(
      (total, [table, { Keys = [], ConsistentRead }]) => {
        const found = output.Responses?.[table] ?? []
        // One that is not there costs as much as the smallest.
        const all = found.reduce((sum, item) => sum + units(bytesOf(item)), Keys.length - found.length)
        return total + all * rate(ConsistentRead)
      },
      0,
    )
  }
  // No request here filters or projects: what came back is what was read.
  const items = output.Items ?? [output.Item ?? {}]
  return units(items.reduce((sum, item) => sum + bytesOf(item), 0)) * rate(input.ConsistentRead)
}

/** As DynamoDB counts: names and values. */
export function bytesOf(item: Item): number {
  const plain = Object.entries(item).map(([name, value]) => [name, plainOf(value)])
  return encodedBytes(Object.fromEntries(plain))
}

function plainOf(value: AttributeValue): unknown {
  if (value.M !== undefined)
    return Object.fromEntries(Object.entries(value.M).map(([name, one]) => [name, plainOf(one)]))
  if (value.L !== undefined) return value.L.map(plainOf)
  if (value.N !== undefined) return Number(value.N)
  return value.S ?? value.B ?? value.SS ?? value.BOOL ?? null
}
