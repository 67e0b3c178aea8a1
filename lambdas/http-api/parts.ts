import type { TemplateDefaults } from '../../config/index.ts'
import type { AdminPorts } from '../../core/flows/admin/index.ts'
import type { Template } from '../../core/model/index.ts'
import type { HttpApiEvent } from './event.ts'

/** Templates that do not come from the store and can't be changed through the API. */
export interface FixedTemplates {
  /** Where they come from, as text for the user. */
  readonly from: string
  readonly text: string | null
  readonly templates: readonly Template[]
}

export interface HttpApiParts extends AdminPorts {
  readonly build: string
  /** The URL that agents connect to. */
  readonly agentUrl: string
  /** Null = the store's current version is in force. */
  readonly fixedTemplates: FixedTemplates | null
  /** Defaults of this hub for fields that templates leave out. */
  readonly templateDefaults: Partial<TemplateDefaults>
}

export interface Call {
  /** The caller's ARN. */
  readonly by: string
  readonly event: HttpApiEvent
  /** The variable part of the path. */
  readonly param: string
}

export interface Answered {
  readonly status: number
  readonly value: unknown
}

export type Run = (parts: HttpApiParts, call: Call) => Promise<Answered>
