import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Registry } from 'prom-client';

import { noAuditLog } from '../../audit/audit-log.js';
import { KeyRing } from '../key-ring.js';
import { type SshLimits, sshLimitsSchema } from '@dr-syncer/ssh';
import { childReceiver } from '../local-receiver.js';
import { SshMetrics } from '../metrics.js';
import type { Receiver, ReceiverBackend } from '../receiver.js';
import { runSshServer } from '../run-ssh-server.js';
import { type LogLine, metricValue, recordingLogger, type TestKey, type Workbench } from './fixture.js';

/** A request that the grammar lets pass; what runs is the server's script. */
export const PULL = 'rsync --server --sender -vlogDtpre.iLsfxCIvu . ./';

/** Runs a script where rsync would run, to have it behave as rsync does once in a thousand times. */
class ScriptReceivers implements ReceiverBackend {
  readonly #script: string;
  readonly pids: number[] = [];

  constructor(script: string) {
    this.#script = script;
  }

  start(): Promise<Receiver> {
    const child = spawn('/bin/sh', ['-c', this.#script], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    if (child.pid !== undefined) this.pids.push(child.pid);
    return childReceiver(child);
  }
}

export interface ScriptServer {
  readonly port: number;
  readonly key: TestKey;
  readonly pids: readonly number[];
  readonly log: LogLine[];
  readonly metric: (name: string, labels?: Record<string, string>) => Promise<number>;
  readonly stop: () => Promise<void>;
}

let serial = 0;

/** A server whose every session runs `script` with /bin/sh instead of rsync. */
export async function startScriptServer(
  bench: Workbench,
  script: string,
  limits: Parameters<typeof sshLimitsSchema.parse>[0] = {},
): Promise<ScriptServer> {
  serial += 1;
  const key = await bench.key(`script-client-${serial}`);
  const host = await bench.key(`script-host-${serial}`);
  const authorizedKeysFile = join(bench.dir, `authorized_keys-${serial}`);
  await writeFile(authorizedKeysFile, `restrict,command="dr-syncer-rsync /volume" ${key.line}\n`);
  const receivers = new ScriptReceivers(script);
  const registry = new Registry();
  const parsed: SshLimits = sshLimitsSchema.parse(limits);
  const log: LogLine[] = [];
  const abort = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  const port = await new Promise<number>((resolve, reject) => {
    ended = runSshServer(
      { host: '127.0.0.1', port: 0, hostKeyFiles: [host.file], authorizedKeysFile },
      {
        keys: new KeyRing(),
        limits: parsed,
        metrics: new SshMetrics(registry),
        audit: noAuditLog,
        receivers,
      },
      { signal: abort.signal, logger: recordingLogger(log), onListening: (address) => resolve(address.port) },
    );
    ended.catch(reject);
  });
  return {
    port,
    key,
    pids: receivers.pids,
    log,
    metric: (name, labels) => metricValue(registry, name, labels),
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

/** A process, or one of its group, is still there. */
export function groupAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
