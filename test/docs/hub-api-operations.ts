import type * as z from 'zod'
import {
  AddHostAnswer,
  AddHostRequest,
  ApplyRequest,
  ChangeAnswer,
  ErrorAnswer,
  HealthAnswer,
  HostsAnswer,
  RemoveHostAnswer,
  RunnerAnswer,
  RunnersAnswer,
  RunnersQuery,
  SecretsAnswer,
  TemplatesAnswer,
  TemplateVersionsAnswer,
  UndoRequest,
  WhyAnswer,
  WhyQuery,
} from '../../protocol/hub-api.ts'

/** Every body of the hub's API, by its name in docs/openapi.json. */
export const SCHEMAS = {
  AddHostAnswer,
  AddHostRequest,
  ApplyRequest,
  ChangeAnswer,
  ErrorAnswer,
  HealthAnswer,
  HostsAnswer,
  RemoveHostAnswer,
  RunnerAnswer,
  RunnersAnswer,
  SecretsAnswer,
  TemplatesAnswer,
  TemplateVersionsAnswer,
  UndoRequest,
  WhyAnswer,
} satisfies Record<string, z.ZodType>
export type SchemaName = keyof typeof SCHEMAS

export interface Operation {
  readonly method: 'get' | 'post' | 'delete'
  /** With a name in braces for an open part. */
  readonly path: string
  readonly id: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly request?: SchemaName
  readonly answer: SchemaName
  readonly status: number
  /** Another status that comes with the same answer, and when. */
  readonly alsoStatus?: { readonly status: number; readonly when: string }
  /** Codes of errors; their statuses are those of the handler. */
  readonly errors: readonly string[]
  readonly isPublic?: true
}

const BODY_ERRORS = ['body-invalid', 'body-too-large', 'unauthorized']
const TEMPLATES_ERRORS = [...BODY_ERRORS, 'store-item-too-large', 'templates-changed', 'templates-fixed']

/** Everything that the hub's API can be asked. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: 'get',
    path: '/health',
    id: 'getHealth',
    summary: 'Whether the hub works, for monitors',
    answer: 'HealthAnswer',
    status: 200,
    alsoStatus: { status: 503, when: 'The control loop has stopped.' },
    errors: [],
    isPublic: true,
  },
  {
    method: 'get',
    path: '/api/templates',
    id: 'getTemplates',
    summary: 'The templates in force',
    answer: 'TemplatesAnswer',
    status: 200,
    errors: ['unauthorized'],
  },
  {
    method: 'get',
    path: '/api/templates/versions',
    id: 'listTemplateVersions',
    summary: 'Stored versions of the templates, newest first',
    answer: 'TemplateVersionsAnswer',
    status: 200,
    errors: ['unauthorized'],
  },
  {
    method: 'post',
    path: '/api/templates/apply',
    id: 'applyTemplates',
    summary: 'Store a templates file as the version in force, or say what it would change',
    request: 'ApplyRequest',
    answer: 'ChangeAnswer',
    status: 200,
    errors: [...TEMPLATES_ERRORS, 'config-invalid', 'templates-too-many'],
  },
  {
    method: 'post',
    path: '/api/templates/undo',
    id: 'undoTemplates',
    summary: 'Bring an earlier version of the templates back, or say what that would change',
    request: 'UndoRequest',
    answer: 'ChangeAnswer',
    status: 200,
    errors: [...TEMPLATES_ERRORS, 'templates-none', 'version-unknown'],
  },
  {
    method: 'get',
    path: '/api/hosts',
    id: 'listHosts',
    summary: 'All hosts, with what they hold',
    answer: 'HostsAnswer',
    status: 200,
    errors: ['unauthorized'],
  },
  {
    method: 'post',
    path: '/api/hosts',
    id: 'addHost',
    summary: 'Add a host; the answer holds the token of its agent, once',
    request: 'AddHostRequest',
    answer: 'AddHostAnswer',
    status: 201,
    errors: [...BODY_ERRORS, 'host-exists'],
  },
  {
    method: 'delete',
    path: '/api/hosts/{host}',
    id: 'removeHost',
    summary: 'Remove a host; its runners are declared lost',
    answer: 'RemoveHostAnswer',
    status: 200,
    errors: ['host-unknown', 'id-invalid', 'unauthorized'],
  },
  {
    method: 'get',
    path: '/api/runners',
    id: 'listRunners',
    summary: 'Runners, newest first, a page at a time',
    query: RunnersQuery,
    answer: 'RunnersAnswer',
    status: 200,
    errors: ['id-invalid', 'query-invalid', 'unauthorized'],
  },
  {
    method: 'get',
    path: '/api/runners/{runner}',
    id: 'getRunner',
    summary: 'One runner, with its timeline and the record of its crash',
    answer: 'RunnerAnswer',
    status: 200,
    errors: ['id-invalid', 'runner-unknown', 'unauthorized'],
  },
  {
    method: 'get',
    path: '/api/why',
    id: 'explainLabels',
    summary: 'Where a job with these labels would start, or why it waits; labels are separated by commas',
    query: WhyQuery,
    answer: 'WhyAnswer',
    status: 200,
    errors: ['query-invalid', 'unauthorized'],
  },
  {
    method: 'get',
    path: '/api/secrets',
    id: 'listSecrets',
    summary: "Which sources' tokens are stored; never their values",
    answer: 'SecretsAnswer',
    status: 200,
    errors: ['unauthorized'],
  },
]
