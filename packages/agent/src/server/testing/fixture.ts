import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import type { Logger } from '@dr-syncer/runtime';
import { Registry } from 'prom-client';

import { runServe, type ServeOptions } from '../../serve/run-serve.js';
import { run } from './process.js';

/** A directory with keys and a scratch space, gone with `remove`. */
export interface Workbench {
  readonly dir: string;
  /** Private key file and public line of a key made by ssh-keygen. */
  readonly key: (name: string, type?: 'ed25519' | 'rsa' | 'ecdsa', bits?: number) => Promise<TestKey>;
  readonly remove: () => Promise<void>;
}

export interface TestKey {
  readonly file: string;
  readonly line: string;
}

export async function makeWorkbench(root = tmpdir()): Promise<Workbench> {
  const dir = await mkdtemp(join(root, 'dr-syncer-ssh-'));
  const key = async (name: string, type: 'ed25519' | 'rsa' | 'ecdsa' = 'ed25519', bits?: number) => {
    const file = join(dir, name);
    const size = bits === undefined ? [] : ['-b', String(bits)];
    const made = await run('ssh-keygen', ['-q', '-t', type, ...size, '-N', '', '-C', name, '-f', file]);
    if (made.code !== 0) throw new Error(made.stderr);
    return { file, line: (await readFile(`${file}.pub`, 'utf8')).trim() };
  };
  return { dir, key, remove: () => rm(dir, { recursive: true, force: true }) };
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export function recordingLogger(lines: LogLine[]): Logger {
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      lines.push({ level, message, fields });
    };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

export interface AuditRecord {
  readonly audit: string;
  readonly [field: string]: unknown;
}

/** The stand-alone server on a free port of the loopback interface. */
export interface TestServer {
  readonly port: number;
  readonly registry: Registry;
  readonly log: LogLine[];
  readonly auditLines: string[];
  readonly audit: (event: string) => AuditRecord[];
  /** Value of a counter or gauge, summed over the series that have these labels. */
  readonly metric: (name: string, labels?: Record<string, string>) => Promise<number>;
  readonly stop: () => Promise<void>;
}

export async function startServer(
  bench: Workbench,
  options: Pick<ServeOptions, 'volumesRoot' | 'publishedRoot' | 'rsyncPath' | 'limits' | 'algorithms'> & {
    readonly authorizedKeys: string;
    readonly hostKeyFiles?: readonly string[];
  },
): Promise<TestServer> {
  const authorizedKeysFile = join(bench.dir, 'authorized_keys');
  await writeFile(authorizedKeysFile, options.authorizedKeys);
  const hostKeyFiles = options.hostKeyFiles ?? [
    (await bench.key(`host-${Date.now()}-${Math.random()}`)).file,
  ];
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
  let ended: Promise<void> = Promise.resolve();
  const port = await new Promise<number>((resolve, reject) => {
    ended = runServe(
      { ...options, host: '127.0.0.1', port: 0, hostKeyFiles, authorizedKeysFile, settleMs: 20 },
      {
        signal: abort.signal,
        logger: recordingLogger(log),
        registry,
        auditSink,
        onListening: (a) => resolve(a.port),
      },
    );
    ended.catch(reject);
  });
  return {
    port,
    registry,
    log,
    auditLines,
    audit: (event) => auditLines.map((l) => JSON.parse(l) as AuditRecord).filter((r) => r.audit === event),
    metric: (name, labels) => metricValue(registry, name, labels),
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

export async function metricValue(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  if (metric === undefined) throw new Error(`no metric ${name}`);
  return metric.values
    .filter((v) =>
      Object.entries(labels).every(([k, want]) => (v.labels as Record<string, unknown>)[k] === want),
    )
    .reduce((sum, v) => sum + v.value, 0);
}

/** Options of OpenSSH's client for a test server; nothing of the machine's configuration is read. */
export function sshOptions(port: number, keyFile: string, extra: readonly string[] = []): string[] {
  return [
    '-F',
    'none',
    '-p',
    String(port),
    '-i',
    keyFile,
    ...['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'StrictHostKeyChecking=no'].flatMap(
      (o) => ['-o', o],
    ),
    ...['UserKnownHostsFile=/dev/null', 'GlobalKnownHostsFile=/dev/null', 'LogLevel=ERROR'].flatMap((o) => [
      '-o',
      o,
    ]),
    ...extra,
  ];
}

/** The same as one string for rsync's -e. */
export function rsh(port: number, keyFile: string, extra: readonly string[] = []): string {
  return ['ssh', ...sshOptions(port, keyFile, extra)].join(' ');
}
