import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { BACKOFF, backoffMs } from '../../core/concurrency/backoff.ts'
import { messageOf, SlipwayError } from '../../core/model/index.ts'
import type { Key } from './keys.ts'

/** One stored item. Only `items.ts` may read its attributes, by parsing it. */
export type Row = Key & Readonly<Record<string, unknown>>

/**
 * A condition of a request. Every `#word` in an expression is replaced by the attribute `word`, so that DynamoDB's
 * several hundred reserved words can be used; `names` maps the words that stand for another attribute.
 */
interface Expressed {
  readonly condition: string
  readonly values?: Readonly<Record<string, unknown>>
  readonly names?: Readonly<Record<string, string>>
}

export interface Change extends Expressed {
  readonly update: string
}

interface Question extends Expressed {
  readonly index?: string
}

/** DynamoDB's limit for one batch. */
const BATCH_GET_MAX = 100
/** Attempts for the items that a batch left unprocessed, with growing pauses: about 2 s in total. */
const BATCH_ROUNDS_MAX = 6

type Page = { Items?: Record<string, unknown>[] | undefined; LastEvaluatedKey?: StartKey | undefined }
type StartKey = Record<string, unknown>

/** Strongly consistent reads (except from an index) and conditional writes of single items of one table. */
export class TableClient {
  readonly #client: DynamoDBDocumentClient
  readonly #table: string

  constructor(client: DynamoDBClient, table: string) {
    this.#client = DynamoDBDocumentClient.from(client)
    this.#table = table
  }

  async get(key: Key): Promise<Row | null> {
    const command = new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true })
    const { Item } = await this.#attempt('GetItem', this.#client.send(command))
    return Item === undefined ? null : rowOf(Item)
  }

  /** False if the condition failed. */
  async put(row: Row, expressed?: Expressed): Promise<boolean> {
    const command = new PutCommand({ TableName: this.#table, Item: row, ...conditionOf(expressed) })
    return (await this.#ifHolds('PutItem', this.#client.send(command))) !== null
  }

  /** The item after the update; null if the condition failed. */
  async update(key: Key, change: Change): Promise<Row | null> {
    const done = await this.#update(key, change, 'ALL_NEW')
    return done === null ? null : rowOf(done.Attributes)
  }

  /** Like `update`, but returns only whether the condition held. */
  async write(key: Key, change: Change): Promise<boolean> {
    return (await this.#update(key, change, 'NONE')) !== null
  }

  /** False if the condition failed. */
  async remove(key: Key, expressed?: Expressed): Promise<boolean> {
    const command = new DeleteCommand({ TableName: this.#table, Key: key, ...conditionOf(expressed) })
    return (await this.#ifHolds('DeleteItem', this.#client.send(command))) !== null
  }

  /** Every item of the table, page by page; ends only after the last page, or throws. */
  scan(): AsyncGenerator<readonly Row[]> {
    const request = { TableName: this.#table, ConsistentRead: true }
    return this.#pages('Scan', (ExclusiveStartKey) =>
      this.#client.send(new ScanCommand({ ...request, ExclusiveStartKey })),
    )
  }

  /** Every matching item, page by page, in the order of the sort key; ends only after the last page, or throws. */
  query({ condition, index, values, names }: Question): AsyncGenerator<readonly Row[]> {
    const request = {
      TableName: this.#table,
      IndexName: index,
      ConsistentRead: index === undefined,
      KeyConditionExpression: condition,
      ExpressionAttributeNames: namesIn(condition, names),
      ExpressionAttributeValues: values,
    }
    return this.#pages('Query', (ExclusiveStartKey) =>
      this.#client.send(new QueryCommand({ ...request, ExclusiveStartKey })),
    )
  }

  /** All existing items of these keys, in any order. Throws rather than omit one. Keys must be unique. */
  async getMany(keys: readonly Key[]): Promise<readonly Row[]> {
    const rows: Row[] = []
    for (let from = 0; from < keys.length; from += BATCH_GET_MAX) {
      rows.push(...(await this.#getBatch(keys.slice(from, from + BATCH_GET_MAX))))
    }
    return rows
  }

  async #getBatch(keys: readonly Key[]): Promise<Row[]> {
    const rows: Row[] = []
    let rest: readonly Record<string, unknown>[] = keys.map(({ pk, sk }) => ({ pk, sk }))
    for (let round = 0; round < BATCH_ROUNDS_MAX; round += 1) {
      if (round > 0) await pauseBefore(round)
      const RequestItems = { [this.#table]: { Keys: [...rest], ConsistentRead: true } }
      const answer = await this.#attempt(
        'BatchGetItem',
        this.#client.send(new BatchGetCommand({ RequestItems })),
      )
      rows.push(...(answer.Responses?.[this.#table] ?? []).map(rowOf))
      rest = answer.UnprocessedKeys?.[this.#table]?.Keys ?? []
      if (rest.length === 0) return rows
    }
    throw new SlipwayError(
      'store-unavailable',
      `DynamoDB did not return ${rest.length} of ${keys.length} items of table "${this.#table}" ` +
        `in ${BATCH_ROUNDS_MAX} attempts: the table is throttled. It is safe to try again.`,
    )
  }

  #update(key: Key, { update, condition, values, names }: Change, ReturnValues: 'ALL_NEW' | 'NONE') {
    const command = new UpdateCommand({
      TableName: this.#table,
      Key: key,
      UpdateExpression: update,
      ConditionExpression: condition,
      ExpressionAttributeNames: namesIn(`${update} ${condition}`, names),
      ExpressionAttributeValues: values,
      ReturnValues,
    })
    return this.#ifHolds('UpdateItem', this.#client.send(command))
  }

  async *#pages(
    operation: string,
    ask: (start: StartKey | undefined) => Promise<Page>,
  ): AsyncGenerator<readonly Row[]> {
    let start: StartKey | undefined
    do {
      const page = await this.#attempt(operation, ask(start))
      // A missing list must not be read as an empty list.
      if (page.Items === undefined)
        throw this.#failure(operation, new Error('the answer has no list of items'))
      yield page.Items.map(rowOf)
      start = page.LastEvaluatedKey
    } while (start !== undefined)
  }

  async #ifHolds<T>(operation: string, answer: Promise<T>): Promise<T | null> {
    try {
      return await answer
    } catch (thrown) {
      if (thrown instanceof Error && thrown.name === 'ConditionalCheckFailedException') return null
      throw this.#failure(operation, thrown)
    }
  }

  async #attempt<T>(operation: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (thrown) {
      throw this.#failure(operation, thrown)
    }
  }

  #failure(operation: string, thrown: unknown): SlipwayError {
    return new SlipwayError(
      'store-unavailable',
      `${operation} on DynamoDB table "${this.#table}" failed: ${messageOf(thrown)}. It is unknown whether it ` +
        'had an effect. It is safe to try again.',
      { cause: thrown },
    )
  }
}

function pauseBefore(round: number): Promise<void> {
  const ms = backoffMs(BACKOFF.tableBatch, round, Math.random())
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

function rowOf(item: Readonly<Record<string, unknown>> | undefined): Row {
  const { pk, sk } = item ?? {}
  if (typeof pk === 'string' && typeof sk === 'string') return { ...item, pk, sk }
  throw new SlipwayError('store-unavailable', 'DynamoDB returned an item without a key: check the endpoint.')
}

function conditionOf(expressed: Expressed | undefined) {
  if (expressed === undefined) return {}
  const { condition, values, names } = expressed
  const words = namesIn(condition, names)
  return {
    ConditionExpression: condition,
    ...(Object.keys(words).length > 0 && { ExpressionAttributeNames: words }),
    ...(values && { ExpressionAttributeValues: values }),
  }
}

function namesIn(expression: string, names: Readonly<Record<string, string>> = {}): Record<string, string> {
  const words = expression.match(/#\w+/g) ?? []
  return Object.fromEntries(words.map((word) => [word, names[word] ?? word.slice(1)]))
}
