import type { EngineFacts } from '../engines/engine.ts'

/** What the engine last said about itself. The watcher of the engine writes it; the other parts read it. */
export class EngineState {
  /** Null until the engine has answered once. */
  facts: EngineFacts | null = null

  /** The current boot of the engine's machine; empty while it is unknown. */
  get bootId(): string {
    return this.facts?.bootId ?? ''
  }
}
