export type LockOptions = { onWait?: (pid: number) => void; waitMaxMs?: number }
export function withLock<T>(directory: string, work: () => Promise<T>, options?: LockOptions): Promise<T>
