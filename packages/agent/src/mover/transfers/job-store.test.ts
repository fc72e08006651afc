import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TransferState } from '@dr-syncer/ssh';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { type LogLine, recordingLogger } from '../../server/testing/fixture.js';
import { JobStore } from './job-store.js';
import { RestoredTransfer } from './restored-transfer.js';

const stateOf = (more: Partial<TransferState> = {}): TransferState => ({
  id: 'a.b',
  phase: 'Transferring',
  attempt: 1,
  bytesDone: 5,
  bytesPerSecond: 1,
  filesTransferred: 0,
  filesDeleted: 0,
  literalBytes: 0,
  bytesSent: 0,
  bytesReceived: 0,
  vanished: 0,
  ...more,
});

describe('Given states of transfers that outlive the process', () => {
  let dir: string;
  let log: LogLine[];
  const open = () => new JobStore(join(dir, 'states'), recordingLogger(log));

  beforeEach(() => {
    log = [];
    dir = mkdtempSync(join(tmpdir(), 'dr-syncer-states-'));
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  test('When a state is written, then the next process has it, and nobody else may look', () => {
    open().write(stateOf());
    expect(open().load()).toEqual([stateOf()]);
    expect(statSync(join(dir, 'states')).mode & 0o777).toBe(0o700);
    open().remove('a.b');
    expect(open().load()).toEqual([]);
  });

  test('When states come fast, then every phase is written and few of what lies between', () => {
    const record = open().recorder();
    for (let bytesDone = 0; bytesDone < 1_000; bytesDone += 1) record(stateOf({ bytesDone }));
    expect(open().load()).toMatchObject([{ bytesDone: 0 }]);
    record(stateOf({ phase: 'Succeeded', bytesDone: 1_000 }));
    expect(open().load()).toMatchObject([{ phase: 'Succeeded', bytesDone: 1_000 }]);
  });

  test('When a file is broken, then it is dropped and said so', () => {
    open().write(stateOf());
    writeFileSync(join(dir, 'states', 'x.json'), '{"id":');
    expect(open().load()).toHaveLength(1);
    expect(log).toHaveLength(1);
    expect(readdirSync(join(dir, 'states'))).toEqual(['a.b.json']);
  });

  test('When the directory takes no more, then that is logged once and nothing else happens', () => {
    const store = open();
    rmSync(join(dir, 'states'), { recursive: true });
    store.write(stateOf());
    store.write(stateOf());
    expect(log).toHaveLength(1);
  });

  test.each(['Prepared', 'Connecting', 'Scanning', 'Transferring', 'Finishing', 'Waiting'] as const)(
    'When a transfer was %s when the mover ended, then it was interrupted, with what had been done',
    (phase) => {
      const state = new RestoredTransfer(stateOf({ phase, etaSeconds: 3 })).state();
      expect(state).toMatchObject({ phase: 'Failed', bytesDone: 5, error: { code: 'TransferInterrupted' } });
      expect(state.finishedAt).toBeDefined();
    },
  );

  test.each(['Succeeded', 'Failed'] as const)('When it was %s, then it still is', (phase) => {
    const last = stateOf({ phase, finishedAt: new Date(0).toISOString() });
    expect(new RestoredTransfer(last).state()).toEqual(last);
  });
});
