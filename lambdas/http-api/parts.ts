import type { TemplateDefaults } from '../../config/index.ts'
import type { AdminPorts } from '../../core/flows/admin/index.ts'
import type { Template } from '../../core/model/index.ts'
import type { HttpApiEvent } from './event.ts'

/** Templates that come from elsewhere than the store, and can't be changed by way of the API. */
export interface FixedTemplates {
  /** Where they come from, in words. */
  readonly from: string
  readonly text: string | null
  readonly templates: readonly Template[]
}

export interface HttpApiParts extends AdminPorts {
  readonly build: string
  /** Where agents dial in. */
  readonly agentUrl: string
  /** Null: the store's current version is in force. */
  readonly fixedTemplates: FixedTemplates | null
  /** What templates that don't say get, where this hub has its own mind about it. */
  readonly templateDefaults: Partial<TemplateDefaults>
}

export interface Call {
  /** The caller's ARN. */
  readonly by: string
  readonly event: HttpApiEvent
  /** The part of the path that the route leaves open. */
  readonly param: string
}

export interface Answered {
  readonly status: number
  readonly value: unknown
}

export type Run = (parts: HttpApiParts, call: Call) => Promise<Answered>
