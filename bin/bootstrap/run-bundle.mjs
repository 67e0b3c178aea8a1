#!/usr/bin/env node
/** `npm run bundle:agent`: prepares the machine as `npm test` does, and hands over to TypeScript. */
import { launch } from './launch.mjs'

await launch({ entry: 'bin/bundle-agent.ts', args: process.argv.slice(2), needsDevPackages: true })
