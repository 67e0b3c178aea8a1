#!/usr/bin/env node
/** The app command of CDK (cdk.json). Runs on any Node from 20 on and finds a Node that runs TypeScript. */
import { launch } from './bootstrap/launch.mjs'

await launch({ entry: 'bin/cdk.ts', args: process.argv.slice(2), needsDevPackages: true })
