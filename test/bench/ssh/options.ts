import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Directory for everything; should be a tmpfs. */
  readonly dir: string;
  /** The agent's program. */
  readonly agent: string;
  readonly rounds: number;
  /** Of the sizes in the issue; 1 is 2 GiB and 50,000 files. */
  readonly scale: number;
  /** Names of the figures to measure; empty: all. */
  readonly only: readonly string[];
}

export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      dir: { type: 'string', default: '/dev/shm' },
      agent: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
    },
  });
  const index = createRequire(import.meta.url).resolve('@dr-syncer/agent');
  return {
    dir: values.dir,
    agent: values.agent ?? join(dirname(index), 'main.js'),
    rounds: Number(values.rounds),
    scale: Number(values.scale),
    only: positionals,
  };
}
