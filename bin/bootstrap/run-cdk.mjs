#!/usr/bin/env node
/** `npm run synth|destroy`: prepares the machine as `npm test` does, and hands over to CDK's command line. */
import { launch } from './launch.mjs'

await launch({ entry: 'node_modules/aws-cdk/bin/cdk', args: process.argv.slice(2), needsDevPackages: true })
