#!/usr/bin/env node
/**
 * The `slipway` command. Runs on any Node from 20 on without packages: it installs missing or outdated packages, finds
 * a Node that runs TypeScript, and hands over to bin/slipway.ts.
 */
import { launch } from './bootstrap/launch.mjs'

await launch({ entry: 'bin/slipway.ts', args: process.argv.slice(2), needsDevPackages: false })
