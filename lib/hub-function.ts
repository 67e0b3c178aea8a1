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

/** What all parts of one hub have in common. */
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
  /** The schema by which the function reads its environment, and what it will read. */
  readonly env: Env
  readonly environment: z.input<Env>
  /** All that the function may do, beside writing its own log. */
  readonly allowed: readonly PolicyStatement[]
  /** For events that nobody waits for: how old one may be when it is worked on. Such an event is never repeated. */
  readonly maxEventAge?: Duration
}

/** One function: its bundle, its role, its log. Nothing else shares them. */
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

/** The log of a part: kept for as long as the settings say, and in production beyond the end of the stack. */
export function logGroupOf(scope: Construct, { production, logRetentionDays }: HubContext): LogGroup {
  return new LogGroup(scope, 'Log', {
    retention: logRetentionDays,
    removalPolicy: production ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  })
}

/** One small module with everything in it: the runtime's own copy of the SDK loads two to three times slower. */
const BUNDLING = {
  format: OutputFormat.ESM,
  target: 'node24',
  mainFields: ['module', 'main'],
  externalModules: [],
  minify: true,
  logLevel: LogLevel.WARNING,
  esbuildArgs: {
    '--legal-comments': 'none',
    // A function's credentials are in its environment: what looks for them elsewhere would be a fifth of the bundle.
    '--alias': [
      `@aws-sdk/credential-provider-node=${join(LAMBDAS, 'credentials', 'env.ts')}`,
      `@aws-sdk/endpoint-cache=${join(LAMBDAS, 'endpoint-cache', 'none.ts')}`,
      // The package's build for browsers is of modules, so that what reads YAML comes without what writes it.
      `yaml=${join(LAMBDAS, '..', 'node_modules', 'yaml', 'browser', 'dist', 'index.js')}`,
    ],
  },
}

/** Compares what is known while synthesizing with the function's own schema; tokens are known to AWS alone. */
function checked<Env extends z.ZodObject>(
  folder: string,
  env: Env,
  environment: z.input<Env>,
): Record<string, string> {
  const values: [string, string][] = []
  for (const [name, schema] of Object.entries(env.shape)) {
    const value: unknown = environment[name]
    if (value === undefined) continue
    if (typeof value !== 'string') throw new Error(`${folder}: ${name} is no text.`)
    const parsed = Token.isUnresolved(value) ? undefined : z.safeParse(schema, value)
    if (parsed?.success === false) throw new Error(`${folder}: ${name}: ${parsed.error.message}`)
    values.push([name, value])
  }
  return Object.fromEntries(values)
}
