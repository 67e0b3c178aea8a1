import type { LogEventName, LogEventOf, LogLevel } from '../../core/model/index.ts'
import type { SandboxEvent } from '../../sandbox/index.ts'

type Stamp<Name> = {
  readonly event: Name
  readonly at: string
  readonly level: LogLevel
}

/** One line of `SLIPWAY_LOG=json`, of whatever program. */
export interface LogLine extends Stamp<string> {
  readonly [field: string]: unknown
}

/** The event of a line: one of Slipway's own, or one of the sandbox that `slipway start` runs. */
export type LineName = LogEventName | `sandbox.${SandboxEvent['type']}`

/** Member by member, where `Event` is a union. */
type Without<Event, Keys extends string> = Event extends unknown ? Omit<Event, Keys> : never

type FieldsOf<Name extends LineName> = Name extends LogEventName
  ? Without<LogEventOf<Name>, 'name'>
  : Name extends `sandbox.${infer Type}`
    ? Without<Extract<SandboxEvent, { type: Type }>, 'type' | 'at'>
    : never

/** A line of one name. JSON brings fields back as they were, but for a `cause`, which is the text of the error. */
export type LineOf<Name extends LineName> = Extract<Line, { readonly event: Name }>

type Line = { [Name in LineName]: FieldsOf<Name> & Stamp<Name> }[LineName]

/** The lines of the log in the output of a command so far. */
export function readLines(output: string): readonly LogLine[] {
  return parseLines(output)
}

/** Those of one event, with the fields of that event. */
export function readEvents<Name extends LineName>(output: string, name: Name): readonly LineOf<Name>[] {
  return parseLines(output).filter((line): line is LineOf<Name> => line.event === name)
}

function parseLines(output: string): readonly Line[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{"at":'))
  return lines.flatMap((line): Line[] => {
    try {
      return [JSON.parse(line)]
    } catch {
      return [] // the last line may still be on its way
    }
  })
}
