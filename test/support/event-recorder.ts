import type { LogEvent, LogEventName } from '../../core/model/index.ts'
import type { Log } from '../../core/ports/index.ts'

/** As `LogEventOf`, in the form that a filter can narrow to. */
export type EventOf<Name extends LogEventName> = Extract<LogEvent, { readonly name: Name }>

export const SILENT_LOG: Log = { emit() {} }

/** A log that keeps its events. */
export class EventRecorder implements Log {
  readonly all: LogEvent[] = []

  emit(event: LogEvent): void {
    this.all.push(event)
  }

  get names(): readonly LogEventName[] {
    return this.all.map(({ name }) => name)
  }

  events<Name extends LogEventName>(name: Name): readonly EventOf<Name>[] {
    return eventsOf(this.all, name)
  }
}

/** Those of one name, with the fields of that name. */
export function eventsOf<Name extends LogEventName>(
  all: readonly LogEvent[],
  name: Name,
): readonly EventOf<Name>[] {
  return all.filter((event): event is EventOf<Name> => event.name === name)
}
