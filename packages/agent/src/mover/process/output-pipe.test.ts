import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { OutputPipe } from './output-pipe.js';

describe('Given a pipe for the output of a child', () => {
  let dir: string;
  let chunks: string[];
  let pipe: OutputPipe;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-output-'));
    chunks = [];
    pipe = await OutputPipe.make(dir, (chunk) => chunks.push(chunk.toString()));
  });
  afterEach(async () => {
    await pipe.end();
    await rm(dir, { recursive: true });
  });

  const run = (program: string, ...args: string[]) => {
    const child = spawn(program, args, { stdio: ['ignore', pipe.fd, 'inherit'] });
    pipe.spawned();
    return new Promise<number | null>((resolve) => child.once('close', resolve));
  };

  test('When it writes line by line, then all comes, in its order and in larger pieces', async () => {
    const lines = 'let i = 0; while (i < 50000) require("fs").writeSync(1, `line ${i++}\\n`);';
    expect(await run(process.execPath, '-e', lines)).toBe(0);
    await pipe.end();
    expect(chunks.join('')).toBe(Array.from({ length: 50_000 }, (_, index) => `line ${index}\n`).join(''));
    expect(chunks.length).toBeLessThan(5_000);
  });

  test('When it writes more than a pipe holds, and at once, then all comes', async () => {
    expect(await run('head', '-c', '3000000', '/dev/zero')).toBe(0);
    await pipe.end();
    expect(chunks.join('').length).toBe(3_000_000);
  });

  test('When it says something and goes on, then that is heard soon', async () => {
    const ended = run('sh', '-c', 'echo here; sleep 1');
    const began = performance.now();
    while (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(performance.now() - began).toBeLessThan(900);
    await ended;
  });

  test('When no child came to be, then it ends, and nothing is left of it', async () => {
    await pipe.end();
    await pipe.end();
    expect(chunks).toEqual([]);
    expect(await readdir(dir)).toEqual([]);
  });
});
