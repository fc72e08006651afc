#!/usr/bin/env node
import { abortOnSignals } from '@dr-syncer/runtime';

import { run } from './program.js';

const { signal, dispose } = abortOnSignals();
try {
  process.exitCode = await run(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    // eslint-disable-next-line no-restricted-properties -- this is the composition root
    env: process.env,
    signal,
  });
} finally {
  dispose();
}
