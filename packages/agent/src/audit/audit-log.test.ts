import { Writable } from 'node:stream';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ChainedAuditLog } from './audit-log.js';
import { verifyChain } from './chain.js';
import { verifyAuditLog } from './verify-log.js';

function collect(lines: string[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString().trimEnd());
      done();
    },
  });
}

function written(count: number): string[] {
  const lines: string[] = [];
  const log = new ChainedAuditLog(collect(lines), () => new Date(0));
  for (let i = 1; i <= count; i += 1)
    log.record('command', { n: i, command: `a "quoted" \n line ${i}`, none: undefined });
  return lines;
}

describe('Given an audit log of some lines', () => {
  test('Then each is one JSON object with its number, and the chain holds', () => {
    const lines = written(5);
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject(
      [1, 2, 3, 4, 5].map((seq) => ({ audit: 'command', seq, n: seq, time: '1970-01-01T00:00:00.000Z' })),
    );
    expect(verifyChain(lines)).toBeUndefined();
    expect(verifyChain(lines.slice(2))).toBeUndefined();
  });

  test.each<[string, (lines: string[]) => string[], object]>([
    ['a line is removed', (l) => [...l.slice(0, 2), ...l.slice(3)], { line: 3, problem: 'Missing' }],
    [
      'two lines change places',
      (l) => [l[1] ?? '', l[0] ?? '', ...l.slice(2)],
      { line: 2, problem: 'Missing' },
    ],
    ['a line is put in twice', (l) => [...l.slice(0, 2), ...l.slice(1)], { line: 3, problem: 'Missing' }],
    [
      'a field is changed',
      (l) => l.map((x, i) => (i === 1 ? x.replace('"n":2', '"n":3') : x)),
      { line: 2, problem: 'Altered' },
    ],
    [
      'a line is cut off',
      (l) => l.map((x, i) => (i === 3 ? x.slice(0, -5) : x)),
      { line: 4, problem: 'Malformed' },
    ],
    [
      'a line of another process comes in',
      (l) => [...l, ...written(6).slice(5)],
      { line: 6, problem: 'Missing' },
    ],
  ])('When %s, then it shows', (_name, change, problem) => {
    expect(verifyChain(change(written(5)))).toEqual(problem);
  });

  test('When fields hold anything at all, then the line is one line and can be checked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.string({ unit: 'binary' })), { maxLength: 5 }),
        (events) => {
          const lines: string[] = [];
          const log = new ChainedAuditLog(collect(lines));
          for (const fields of events) log.record('x', fields);
          expect(lines.every((line) => !line.includes('\n'))).toBe(true);
          expect(verifyChain(lines)).toBeUndefined();
        },
      ),
    );
  });

  test('When the sink takes nothing, then events are dropped and counted, not collected', () => {
    const waiting: (() => void)[] = [];
    const lines: string[] = [];
    const slow = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString().trimEnd());
        waiting.push(done);
      },
      decodeStrings: true,
    });
    const log = new ChainedAuditLog(slow);
    for (let i = 0; i < 3000; i += 1) log.record('command', { command: 'x'.repeat(4000) });
    expect(slow.writableLength).toBeLessThan(5 * 2 ** 20);
    while (waiting.length > 0) waiting.shift()?.();
    log.record('after', {});
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ dropped: expect.any(Number) });
    expect(verifyChain(lines)).toBeUndefined();
  });
});

describe('Given the log of a container, with audit lines of two processes in it', () => {
  const log = () => ['{"level":"info"}', ...written(3), 'x', ...written(2), '{"level":"info"}'];
  async function* lines(of: readonly string[]): AsyncGenerator<string> {
    for (const line of of) yield await Promise.resolve(line);
  }

  test('When nothing was done to it, then all of them are in order', async () => {
    expect(await verifyAuditLog(lines(log()))).toEqual({ lines: 5, chains: 2 });
  });

  test.each([
    ['removed', (all: string[]) => all.filter((_, i) => i !== 2), { line: 3, what: 'Missing' }],
    [
      'altered',
      (all: string[]) => all.map((l, i) => (i === 6 ? l.replace('line 2', 'line 9') : l)),
      { line: 7, what: 'Altered' },
    ],
  ])('When one was %s, then it is named', async (_name, change, problem) => {
    expect(await verifyAuditLog(lines(change(log())))).toMatchObject({ problem });
  });
});
