#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';

import { abortOnSignals } from '@dr-syncer/runtime';

import { run } from './program.js';
import type { Screen } from './screen.js';

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal });
  } finally {
    terminal.close();
  }
}

function screenOf(stream: WriteStream): Screen {
  return { size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }) };
}

const { signal, dispose } = abortOnSignals();
// Whoever reads has had enough, as `head` does: nothing to complain about.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (err: NodeJS.ErrnoException) => {
    if (err.code !== 'EPIPE') throw err;
  });
}
try {
  process.exitCode = await run(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ...(process.stdout.isTTY && { outScreen: screenOf(process.stdout) }),
    ...(process.stderr.isTTY && { errScreen: screenOf(process.stderr) }),
    ...(process.stdin.isTTY && { ask }),
    // eslint-disable-next-line no-restricted-properties -- this is the composition root
    env: process.env,
    signal,
  });
} finally {
  dispose();
}
