#!/usr/bin/env node
/** `npm test`: like the `slipway` command, this prepares the machine first and then hands over to TypeScript. */
import { launch } from './launch.mjs'

await launch({ entry: 'bin/bootstrap/test-run.ts', args: process.argv.slice(2), needsDevPackages: true })
