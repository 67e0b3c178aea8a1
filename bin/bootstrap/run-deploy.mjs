#!/usr/bin/env node
/** `npm run deploy`: prepares the machine as `npm test` does, and hands over to TypeScript. */
import { launch } from './launch.mjs'

await launch({ entry: 'bin/deploy.ts', args: process.argv.slice(2), needsDevPackages: true })
