#!/usr/bin/env node
import { deferOptimizing } from './footprint.js';

deferOptimizing();
const { runProgram } = await import('./program.js');
await runProgram(process.argv);
