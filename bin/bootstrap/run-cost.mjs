#!/usr/bin/env node
/** `npm run cost`: prepares the machine as `npm test` does, and hands over to TypeScript. */
import { launch } from './launch.mjs'

await launch({ entry: 'test/cost/main.ts', args: process.argv.slice(2), needsDevPackages: true })
