import { join } from 'node:path';
import { Writable } from 'node:stream';

import { Registry } from 'prom-client';

import {
  type AuditRecord,
  type LogLine,
  metricValue,
  recordingLogger,
  type Workbench,
} from '../../server/testing/fixture.js';
import { eventually } from '../../server/testing/process.js';
import { runSshContainer } from '../run-ssh-container.js';
import { SmallMover } from './small-mover.js';

/** The `ssh` container with a small mover, on a free port of the loopback interface. */
export interface TestContainer {
  readonly port: number;
  readonly mover: SmallMover;
  readonly log: LogLine[];
  readonly audit: (event: string) => AuditRecord[];
  readonly metric: (name: string, labels?: Record<string, string>) => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Volumes are the directories of `<bench.dir>/volumes`. */
export async function startContainer(
  bench: Workbench,
  files: { readonly authorizedKeys: string; readonly hostKeys: readonly string[] },
): Promise<TestContainer> {
  const mover = new SmallMover(bench.dir, join(bench.dir, 'volumes'));
  await mover.start();
  const registry = new Registry();
  const log: LogLine[] = [];
  const auditLines: string[] = [];
  const auditSink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      auditLines.push(chunk.toString().trimEnd());
      done();
    },
  });
  const abort = new AbortController();
  const config = {
    ...{ host: '127.0.0.1', port: 0, nodeName: 'node-1', version: '1.2.3', settleMs: 20 },
    hostKeyFiles: files.hostKeys,
    authorizedKeysFile: files.authorizedKeys,
    fenceFile: join(bench.dir, 'fence'),
    moverSocket: mover.socketPath,
  };
  let ended: Promise<void> = Promise.resolve();
  const { port, ready } = await new Promise<{ port: number; ready: () => boolean }>((resolve, reject) => {
    const deps = { signal: abort.signal, logger: recordingLogger(log), registry, auditSink };
    ended = runSshContainer(config, {
      ...deps,
      onListening: (address, isReady) => resolve({ port: address.port, ready: isReady }),
    });
    ended.catch(reject);
  });
  await eventually(() => (ready() ? true : undefined));
  return {
    ...{ port, mover, log },
    audit: (event) =>
      auditLines.map((line) => JSON.parse(line) as AuditRecord).filter((record) => record.audit === event),
    metric: (name, labels) => metricValue(registry, name, labels),
    stop: async () => {
      abort.abort();
      await ended;
      await mover.stop();
    },
  };
}
