import { type SweepPorts, sweep } from '../../core/flows/index.ts'

/** Once a minute. A part that fails has held up nothing else, and the alarm is raised by the error that escapes. */
export function sweepHandler(ports: SweepPorts) {
  return async (): Promise<void> => sweep(ports)
}
