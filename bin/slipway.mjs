#!/usr/bin/env node
/**
 * The `slipway` command. Runs on any Node from 20 on with no package installed: it installs the packages when
 * they are missing or outdated, finds a Node that runs TypeScript, and hands over to bin/slipway.ts.
 */
import { launch } from './bootstrap/launch.mjs'

await launch({ entry: 'bin/slipway.ts', args: process.argv.slice(2), needsDevPackages: false })
