import { createLogUpdate } from 'log-update'
import { jsonLine, type LogEntry, type LogSink, textLine } from '../../adapters/log/index.ts'
import type { SandboxEvent } from '../../sandbox/index.ts'
import { type RunnerStep, sayJobEvent, sayRunnerStep, sayTrouble } from './words.ts'

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
  const write = (entry: LogEntry): void => {
    stream.write(`${jsonLine(entry)}\n`)
  }
  return {
    log: write,
    job: ({ type, at, ...fields }) => write({ at, level: 'info', event: `sandbox.${type}`, fields }),
    say: (message) => write({ at: Date.now(), level: 'info', event: 'start.progress', fields: { message } }),
    close: () => {},
  }
}

function plainDisplay(write: (line: string) => void): Display {
  const timed = (at: number, text: string): void => write(`${clock(at)} ${text}`)
  const runners = new Map<string, { head: string; since: number }>()
  const step = ({ runner, head, word, last }: RunnerStep, at: number): void => {
    const known = runners.get(runner) ?? { head, since: at }
    if (last) runners.delete(runner)
    else runners.set(runner, known)
    timed(at, `runner ${known.head} ${word} +${seconds(at - known.since)}`)
  }
  return {
    log(entry) {
      const runnerStep = sayRunnerStep(entry)
      const text = sayTrouble(entry)
      if (runnerStep !== null) step(runnerStep, entry.at)
      else if (text !== null) timed(entry.at, text)
      else if (entry.level === 'error') write(textLine(entry))
    },
    job(event) {
      const text = sayJobEvent(event)
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
      const step = sayRunnerStep(entry)
      if (step === null) return plain.log(entry)
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
      if (event.type === 'job.failed' || event.type === 'job.lost' || event.type === 'job.cancelled')
        plain.job(event)
    },
    close() {
      draw()
      update.done()
    },
  }
}

function lineText({ head, steps }: LiveLine): string {
  return `${head}  ${steps.join(' · ')}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`
}

function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8) + `.${String(at % 1000).padStart(3, '0')}`
}
