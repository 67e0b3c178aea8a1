#!/usr/bin/env node
/** What CDK's command line runs (cdk.json): on any Node from 20 on, this finds one that runs TypeScript. */
import { launch } from './bootstrap/launch.mjs'

await launch({ entry: 'bin/cdk.ts', args: process.argv.slice(2), needsDevPackages: true })
