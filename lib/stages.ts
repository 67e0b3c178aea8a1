import type { StageSettings } from './settings.ts'

/**
 * The stages of your hub: each is deployed as a stack of its own (`slipway-dev`, `slipway-prod`), side by side in
 * one account if you like. docs/deploy.md describes every setting; `-c stage=prod` chooses a stage, and most
 * settings can be given for one run only, such as `-c shipfoxApiUrl=https://api.example.com`.
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

/** What is deployed where no stage is named. */
export const DEFAULT_STAGE = 'dev'
