import { AGENT_EVENTS } from './agent.ts'
import { COMMAND_EVENTS } from './command.ts'
import type { EventDefinition, LogLevel } from './definition.ts'
import { FLEET_EVENTS } from './fleet.ts'
import { HUB_EVENTS } from './hub.ts'

export type { LogLevel } from './definition.ts'
export type { StartTimes } from './fleet.ts'
export type { AuditViolation, LoopFacts } from './hub.ts'

/*
 * Every event that hub, agent and command log: one definition holds its name, its level and its fields. Names are
 * stable: alarms, dashboards, the runbook and other versions of Slipway read them.
 */

const EVENTS = { ...HUB_EVENTS, ...FLEET_EVENTS, ...AGENT_EVENTS, ...COMMAND_EVENTS }

type Fields = {
  readonly [Name in keyof typeof EVENTS]: (typeof EVENTS)[Name] extends EventDefinition<infer Of> ? Of : never
}

export type LogEventName = keyof Fields
/** The event of one name; of several names, the union of their events. */
export type LogEventOf<Name extends LogEventName> = {
  [One in Name]: { readonly name: One } & Readonly<Fields[One]>
}[Name]
export type LogEvent = LogEventOf<LogEventName>

export function levelOf(name: LogEventName): LogLevel {
  return EVENTS[name].level
}

/**
 * What a consumer does with each event. A table lists every name, so adding or renaming an event does not compile until
 * each consumer says what it does with it.
 */
export type EventTable<Result, Context = null> = {
  readonly [Name in LogEventName]: (event: LogEventOf<Name>, context: Context) => Result
}

/** Does with an event what the table says. */
export function handleEvent<Result, Context, Name extends LogEventName>(
  table: EventTable<Result, Context>,
  event: LogEventOf<Name>,
  context: Context,
): Result {
  return table[event.name](event, context)
}
