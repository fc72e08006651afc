#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';

import { abortOnSignals } from '@dr-syncer/runtime';

import { run } from './program.js';

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal });
  } finally {
    terminal.close();
  }
}

const { signal, dispose } = abortOnSignals();
try {
  process.exitCode = await run(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ...(process.stdin.isTTY && { ask }),
    // eslint-disable-next-line no-restricted-properties -- this is the composition root
    env: process.env,
    signal,
  });
} finally {
  dispose();
}
