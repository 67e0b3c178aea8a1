import type { StageSettings } from './settings.ts'

/**
 * The stages of your hub. Each is deployed as a separate stack (`slipway-dev`, `slipway-prod`); they can share one
 * account. docs/deploy.md describes every setting. `-c stage=prod` selects a stage, and most settings can be overridden
 * for one run, such as `-c shipfoxApiUrl=https://api.example.com`.
 *
 * A source is listed as `{ id: 'shipfox', apiUrl: 'https://api.example.com' }`.
 */
export const STAGES: Readonly<Record<string, StageSettings>> = {
  dev: {
    production: false,
    sources: [],
    logRetentionDays: 14,
  },
  prod: {
    production: true,
    sources: [],
    logRetentionDays: 90,
  },
}

/** Used when no stage is selected. */
export const DEFAULT_STAGE = 'dev'
