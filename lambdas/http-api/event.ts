import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { SlipwayError } from '../../core/model/index.ts'

/** The part of API Gateway's event (HTTP API, payload 2.0) that the handler uses. */
export type HttpApiEvent = Pick<
  APIGatewayProxyEventV2,
  'rawPath' | 'rawQueryString' | 'body' | 'isBase64Encoded'
> & {
  readonly requestContext: {
    readonly http: { readonly method: string }
    readonly requestId: string
    /** Set by the IAM authorizer; absent on public routes. */
    readonly authorizer?: { readonly iam?: { readonly userArn?: string } }
  }
}

export interface HttpApiResult {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Limit for the largest templates file; a hundred templates take a tenth of it. */
export const BODY_MAX_BYTES = 512 * 1024

/** The parsed JSON of a body. Throws `body-too-large` and `body-invalid`. */
export function readBody({ body = '', isBase64Encoded }: HttpApiEvent): unknown {
  const bytes = isBase64Encoded ? Math.floor((body.length * 3) / 4) : Buffer.byteLength(body)
  if (bytes > BODY_MAX_BYTES)
    throw new SlipwayError(
      'body-too-large',
      `The request body has ${bytes} bytes; the limit is ${BODY_MAX_BYTES}.`,
    )
  try {
    return JSON.parse(isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body)
  } catch {
    // The parser's message is dropped, because it quotes the text.
    throw new SlipwayError('body-invalid', 'The request body is not JSON; expected an object with "v": 1.')
  }
}

/** The ARN of the caller. Throws `unauthorized` if the route has no authorizer. */
export function callerOf({ requestContext }: HttpApiEvent): string {
  const arn = requestContext.authorizer?.iam?.userArn
  if (arn !== undefined && arn !== '') return arn
  throw new SlipwayError(
    'unauthorized',
    'The request has no caller: the IAM authorizer is not attached to this route.',
  )
}
