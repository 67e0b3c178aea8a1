/**
 * What Lambda's own runtime does in an execution environment: loads the handler, and then asks the runtime API for
 * one event after another. Plain JavaScript, since it runs where nothing of this repository is.
 */
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { AWS_LAMBDA_RUNTIME_API = '', _HANDLER = '', LAMBDA_TASK_ROOT = '', ...env } = process.env
const agent = new Agent({ keepAlive: true })

/** Resolves with the status, headers and text of the answer. */
function ask(method, path, body = '') {
  return new Promise((resolve, reject) => {
    const url = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`
    const asked = request(
      url,
      { method, agent, headers: { 'content-length': Buffer.byteLength(body) } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part) => (text += part))
        answer.on('end', () => resolve({ headers: answer.headers, text }))
        answer.on('error', reject)
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

function describe(thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return JSON.stringify({
    errorType: error.name,
    errorMessage: error.message,
    trace: error.stack?.split('\n'),
  })
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms'])
  return {
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  }
}

const [file, name] = _HANDLER.split('.')
const beganMs = performance.now()
let handler
try {
  const loaded = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href)
  handler = loaded[name]
  if (typeof handler !== 'function') throw new Error(`${_HANDLER} is no function.`)
} catch (thrown) {
  await ask('POST', 'init/error', describe(thrown))
  process.exit(1)
}
await ask('POST', `init/done?importMs=${performance.now() - beganMs}`)

for (;;) {
  const { headers, text } = await ask('GET', 'invocation/next')
  const id = headers['lambda-runtime-aws-request-id']
  try {
    const result = await handler(JSON.parse(text), contextOf(headers))
    await ask('POST', `invocation/${id}/response`, JSON.stringify(result) ?? 'null')
  } catch (thrown) {
    await ask('POST', `invocation/${id}/error`, describe(thrown))
  }
}
