import { createLogUpdate } from 'log-update'
import { jsonLine, lineOf, type LogLine, type LogSink, textLine } from '../../adapters/log/index.ts'
import { escapeUnprintable, levelOf } from '../../core/model/index.ts'
import type { SandboxEvent } from '../../sandbox/index.ts'
import { formatEvent, formatSandboxEvent, type RunnerStep } from './format.ts'

export interface Display {
  readonly log: LogSink
  readonly job: (event: SandboxEvent) => void
  /** A line about the run itself. */
  readonly say: (text: string) => void
  readonly close: () => void
}

/** What a runner has gone through, as its live line shows it. */
interface LiveLine {
  readonly since: number
  readonly head: string
  readonly steps: string[]
}

/** `live`: one line per runner, rewritten in place. `plain`: one line per event. `json`: every log event. */
export function createDisplay(kind: 'live' | 'plain' | 'json', stream: NodeJS.WriteStream): Display {
  if (kind === 'json') return jsonDisplay(stream)
  return kind === 'live' ? liveDisplay(stream) : plainDisplay((line) => stream.write(`${line}\n`))
}

function jsonDisplay(stream: NodeJS.WriteStream): Display {
  const write = (line: LogLine): void => {
    stream.write(`${jsonLine(line)}\n`)
  }
  const log: LogSink = (entry) => write(lineOf(entry))
  return {
    log,
    job: ({ type, at, ...fields }) => write({ at, level: 'info', event: `sandbox.${type}`, fields }),
    say: (text) => log({ at: Date.now(), event: { name: 'start.progress', text } }),
    close: () => {},
  }
}

function plainDisplay(write: (line: string) => void): Display {
  const timed = (at: number, text: string): void => write(`${clock(at)} ${escapeUnprintable(text)}`)
  const runners = new Map<string, { head: string; since: number }>()
  const step = ({ runner, head, word, last }: RunnerStep, at: number): void => {
    const known = runners.get(runner) ?? { head, since: at }
    if (last) runners.delete(runner)
    else runners.set(runner, known)
    timed(at, `runner ${known.head} ${word} +${seconds(at - known.since)}`)
  }
  return {
    log(entry) {
      const shown = formatEvent(entry.event)
      if (typeof shown === 'string') timed(entry.at, shown)
      else if (shown !== null) step(shown, entry.at)
      else if (levelOf(entry.event.name) === 'error') write(textLine(lineOf(entry)))
    },
    job(event) {
      const text = formatSandboxEvent(event)
      if (text !== null) timed(event.at, text)
    },
    say: (text) => timed(Date.now(), text),
    close: () => {},
  }
}

function liveDisplay(stream: NodeJS.WriteStream): Display {
  const update = createLogUpdate(stream)
  const lines = new Map<string, LiveLine>()
  const plain = plainDisplay((line) => update.persist(line))
  const draw = (): void => update([...lines.values()].map(lineText).join('\n'))
  return {
    ...plain,
    log(entry) {
      const step = formatEvent(entry.event)
      if (step === null || typeof step === 'string') return plain.log(entry)
      const line = lines.get(step.runner) ?? { since: entry.at, head: step.head, steps: [] }
      line.steps.push(`${step.word} ${seconds(entry.at - line.since)}`)
      lines.set(step.runner, line)
      if (step.last) {
        lines.delete(step.runner)
        update.persist(lineText(line))
      }
      draw()
    },
    job(event) {
      if (SHOWN_LIVE[event.type]) plain.job(event)
    },
    close() {
      draw()
      update.done()
    },
  }
}

/** The live line of a runner tells of its job as long as all goes well. */
const SHOWN_LIVE: Readonly<Record<SandboxEvent['type'], boolean>> = {
  'job.queued': false,
  'job.claimed': false,
  'job.finished': false,
  'job.failed': true,
  'job.cancelled': true,
  'job.lost': true,
  'jobs.reserved': false,
  'runner.registered': false,
  'request.failed': false,
}

function lineText({ head, steps }: LiveLine): string {
  return escapeUnprintable(`${head}  ${steps.join(' · ')}`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`
}

function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8) + `.${String(at % 1000).padStart(3, '0')}`
}
