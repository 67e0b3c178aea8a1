export type LockedPackage = {
  version?: string
  integrity?: string
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
  link?: boolean
}
export type PackageLock = { packages: Record<string, LockedPackage> }

export function missingPackages(
  lock: PackageLock,
  installed: PackageLock,
  wanted: { needsDevPackages: boolean },
): string[]

export function ensurePackages(input: {
  root: string
  needsDevPackages: boolean
  print: (line: string) => void
  npm?: string
}): Promise<void>
