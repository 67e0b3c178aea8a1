import * as z from 'zod'
import { STATUS_BY_CODE } from '../../lambdas/http-api/failures.ts'
import { HUB_API_VERSION } from '../../protocol/hub-api.ts'
import { type Operation, SCHEMAS, type SchemaName } from './hub-api-operations.ts'

type Json = Record<string, unknown>

const Release = z.object({ version: z.string() })
const JsonObject = z.record(z.string(), z.unknown())
const Recursive = z.object({ $ref: z.string().startsWith('#/$defs/') })

/** The hub's API as an OpenAPI 3.1 document: docs/openapi.json. `packageFile` is package.json as text. */
export function describeHubApi(operations: readonly Operation[], packageFile: string): Json {
  const { version } = Release.parse(JSON.parse(packageFile))
  const paths = new Map<string, Json>()
  for (const operation of operations) {
    paths.set(operation.path, {
      ...paths.get(operation.path),
      [operation.method]: describeOperation(operation),
    })
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Slipway hub',
      version,
      description: `Version ${HUB_API_VERSION} of the hub's JSON API. Times are epoch milliseconds by the hub's clock. Fields that are not described here may come and should be ignored.`,
    },
    servers: [
      {
        url: '{api}',
        variables: { api: { default: 'https://example.execute-api.eu-central-1.amazonaws.com' } },
      },
    ],
    security: [{ sigv4: [] }],
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries(
        Object.entries(SCHEMAS).map(([name, schema]) => [name, jsonSchemaOf(schema, 'input')]),
      ),
      securitySchemes: {
        sigv4: {
          type: 'apiKey',
          name: 'Authorization',
          in: 'header',
          description:
            'AWS Signature Version 4 for the service execute-api. The hub on one machine needs none: its socket is open to its user only.',
          'x-amazon-apigateway-authtype': 'awsSigv4',
        },
      },
    },
  }
}

function describeOperation(operation: Operation): Json {
  const { id, summary, request, isPublic } = operation
  const parameters = [...pathParameters(operation), ...queryParameters(operation)]
  return {
    operationId: id,
    summary,
    ...(isPublic && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(request && { requestBody: { required: true, content: contentOf(request) } }),
    responses: describeResponses(operation),
  }
}

function pathParameters({ path }: Operation): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } }
  })
}

function queryParameters({ query }: Operation): Json[] {
  if (query === undefined) return []
  // `input` knows what may be left out; `output` knows the bounds of what is read from text.
  const required = z.array(z.string()).default([]).parse(jsonSchemaOf(query, 'input')['required'])
  const properties = z.record(z.string(), z.json()).parse(jsonSchemaOf(query, 'output')['properties'])
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: 'query', required: required.includes(name), schema }
  })
}

/** The good answers, then the errors by status, each with its codes. */
function describeResponses({ answer, status, alsoStatus, errors }: Operation): Json {
  const responses: [number, Json][] = [[status, { description: 'Done.', content: contentOf(answer) }]]
  if (alsoStatus) {
    responses.push([alsoStatus.status, { description: alsoStatus.when, content: contentOf(answer) }])
  }
  for (const [failed, codes] of Map.groupBy(errors.toSorted(), statusOf)) {
    const description = `An error with the code ${codes.map((code) => `\`${code}\``).join(' or ')}.`
    responses.push([failed, { description, content: contentOf('ErrorAnswer') }])
  }
  return Object.fromEntries(responses.toSorted(([left], [right]) => left - right))
}

function statusOf(code: string): number {
  const status = STATUS_BY_CODE[code]
  if (status === undefined) throw new Error(`The handler has no status for the code ${code}.`)
  return status
}

function contentOf(name: SchemaName): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } }
}

function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const described = z.toJSONSchema(schema, { io, reused: 'inline', override: simplify })
  const { $schema: _, $defs: __, ...rest } = JsonObject.parse(described)
  return JsonObject.parse(JSON.parse(JSON.stringify(rest), anyJson))
}

/** `z.json()` alone is recursive, and so the one that refers to a definition of its own. */
function anyJson(_key: string, value: unknown): unknown {
  return Recursive.safeParse(value).success ? { description: 'Any JSON value.' } : value
}

/** Leaves out the bounds that hold for every whole number of JavaScript. */
function simplify({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}
