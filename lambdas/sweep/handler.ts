import { type SweepPorts, sweep } from '../../core/flows/index.ts'

/** Runs once a minute. A failing part does not stop the others; its error is thrown at the end and raises the alarm. */
export function sweepHandler(ports: SweepPorts) {
  return async (): Promise<void> => sweep(ports)
}
