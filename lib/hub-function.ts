import { join } from 'node:path'
import { type Duration, RemovalPolicy, Token } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import * as z from 'zod'
import type { HubBuild } from './hub-build.ts'

const LAMBDAS = join(import.meta.dirname, '..', 'lambdas')
export const MEMORY_MIB = 256

/** Shared by all parts of a hub. */
export interface HubContext {
  readonly production: boolean
  readonly logRetentionDays: RetentionDays
  readonly build: HubBuild
}

export interface HubFunctionProps<Env extends z.ZodObject> {
  readonly hub: HubContext
  /** The function's folder in lambdas/. */
  readonly folder: string
  readonly description: string
  readonly timeout: Duration
  /** The schema with which the function parses its environment. */
  readonly env: Env
  readonly environment: z.input<Env>
  /** All permissions of the function, except writing its own log. */
  readonly allowed: readonly PolicyStatement[]
  /** For asynchronous events: the maximum age of an event when it is handled. Such events are not retried. */
  readonly maxEventAge?: Duration
}

/** One function with its own bundle, role and log. */
export class HubFunction<Env extends z.ZodObject = z.ZodObject> extends Construct {
  readonly function: NodejsFunction
  readonly logGroup: LogGroup

  constructor(scope: Construct, id: string, props: HubFunctionProps<Env>) {
    super(scope, id)
    const { hub, folder, description, timeout, maxEventAge } = props
    this.logGroup = logGroupOf(this, hub)
    this.function = new NodejsFunction(this, 'Function', {
      description,
      entry: join(LAMBDAS, folder, 'main.ts'),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: MEMORY_MIB,
      timeout,
      role: this.#role(props.allowed),
      environment: checked(folder, props.env, props.environment),
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      bundling: BUNDLING,
      ...(maxEventAge && { retryAttempts: 0, maxEventAge }),
    })
    hub.build.add(folder, this.function)
  }

  #role(allowed: readonly PolicyStatement[]): Role {
    const writeLog = new PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [this.logGroup.logGroupArn],
    })
    return new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { allowed: new PolicyDocument({ statements: [writeLog, ...allowed] }) },
    })
  }
}

/** A log group with the retention of the settings; in production it is kept when the stack is deleted. */
export function logGroupOf(scope: Construct, { production, logRetentionDays }: HubContext): LogGroup {
  return new LogGroup(scope, 'Log', {
    retention: logRetentionDays,
    removalPolicy: production ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  })
}

/** Bundles everything into one module: the runtime's copy of the SDK loads two to three times slower. */
const BUNDLING = {
  format: OutputFormat.ESM,
  target: 'node24',
  mainFields: ['module', 'main'],
  externalModules: [],
  minify: true,
  logLevel: LogLevel.WARNING,
  esbuildArgs: {
    '--legal-comments': 'none',
    // A function's credentials are in its environment: the SDK's credential chain would be a fifth of the bundle.
    '--alias': [
      `@aws-sdk/credential-provider-node=${join(LAMBDAS, 'credentials', 'env.ts')}`,
      `@aws-sdk/endpoint-cache=${join(LAMBDAS, 'endpoint-cache', 'none.ts')}`,
      // The browser build consists of ES modules, so that the YAML writer can be tree-shaken.
      `yaml=${join(LAMBDAS, '..', 'node_modules', 'yaml', 'browser', 'dist', 'index.js')}`,
    ],
  },
}

/** Checks the environment against the function's schema, except tokens, which only AWS can resolve. */
function checked<Env extends z.ZodObject>(
  folder: string,
  env: Env,
  environment: z.input<Env>,
): Record<string, string> {
  const values: [string, string][] = []
  for (const [name, schema] of Object.entries(env.shape)) {
    const value: unknown = environment[name]
    if (value === undefined) continue
    if (typeof value !== 'string') throw new Error(`${folder}: ${name} is not a text.`)
    const parsed = Token.isUnresolved(value) ? undefined : z.safeParse(schema, value)
    if (parsed?.success === false) throw new Error(`${folder}: ${name}: ${parsed.error.message}`)
    values.push([name, value])
  }
  return Object.fromEntries(values)
}
