import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { SlipwayError } from '../../core/model/index.ts'

/** The part of API Gateway's event (HTTP API, payload 2.0) that answers depend on. */
export type HttpApiEvent = Pick<
  APIGatewayProxyEventV2,
  'rawPath' | 'rawQueryString' | 'body' | 'isBase64Encoded'
> & {
  readonly requestContext: {
    readonly http: { readonly method: string }
    readonly requestId: string
    /** What the IAM authorizer says of the caller; absent on public routes. */
    readonly authorizer?: { readonly iam?: { readonly userArn?: string } }
  }
}

export interface HttpApiResult {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Of templates files the largest; a hundred templates take a tenth of it. */
export const BODY_MAX_BYTES = 512 * 1024

/** The parsed JSON of a body. Throws `body-too-large` and `body-invalid`. */
export function readBody({ body = '', isBase64Encoded }: HttpApiEvent): unknown {
  const bytes = isBase64Encoded ? Math.floor((body.length * 3) / 4) : Buffer.byteLength(body)
  if (bytes > BODY_MAX_BYTES)
    throw new SlipwayError(
      'body-too-large',
      `The request's body has ${bytes} bytes, and at most ${BODY_MAX_BYTES} are taken.`,
    )
  try {
    return JSON.parse(isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body)
  } catch {
    // The parser's own message quotes the text, which may hold anything.
    throw new SlipwayError('body-invalid', 'The request\'s body is not JSON; expected an object with "v": 1.')
  }
}

/** Who calls. Throws `unauthorized` where API Gateway let somebody in whom no authorizer has seen. */
export function callerOf({ requestContext }: HttpApiEvent): string {
  const arn = requestContext.authorizer?.iam?.userArn
  if (arn !== undefined && arn !== '') return arn
  throw new SlipwayError(
    'unauthorized',
    'The request came without a caller: the IAM authorizer is not attached to this route.',
  )
}
