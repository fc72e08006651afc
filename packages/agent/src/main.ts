#!/usr/bin/env node
import { deferOptimizing } from '@dr-syncer/runtime/footprint';

deferOptimizing();
const { runProgram } = await import('./program.js');
await runProgram(process.argv);
