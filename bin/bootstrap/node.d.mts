export const NODE_MIN: string
export function refuseWindows(platform: string): void
export function isNewEnough(version: string): boolean
export function findNode(machine: { root: string; platform: string; arch: string }): Promise<string>
export function describeMissingNode(platform: string): string
