import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { stringify } from 'yaml';

import { CommandFailure } from '../failure.js';

export interface CheckOptions {
  /** Program and arguments; run without a shell. */
  readonly command: readonly [string, ...string[]];
  readonly namespace: string;
  /** Files of the person's kubeconfig for the remote, and the entries of the context in use. */
  readonly kubeconfig: { readonly files: readonly string[]; readonly cluster: string; readonly user: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** What it says, as it says it. */
  readonly say: (text: string) => void;
}

export interface CheckResult {
  /** 128 when a signal ended it. */
  readonly exitCode: number;
  readonly timedOut: boolean;
}

const CONTEXT = 'dr-syncer-drill';
const KILL_AFTER_MS = 5_000;
/** Of what was sent to a child that ended, the rest has this long to arrive. */
const DRAIN_MS = 1_000;

/**
 * Runs the person's check. `kubectl` and the like are in the namespace of the drill there without any flag: a file before
 * the person's own in KUBECONFIG names cluster, user and namespace, and holds no credentials.
 *
 * @throws CommandFailure when it can't be run
 */
export async function runCheck(options: CheckOptions, signal: AbortSignal): Promise<CheckResult> {
  const { namespace, kubeconfig, env } = options;
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-drill-'));
  try {
    const file = join(dir, 'context');
    await writeFile(file, overlay(namespace, kubeconfig), { mode: 0o600 });
    const files = [file, ...kubeconfig.files].join(delimiter);
    return await run(options, { ...env, KUBECONFIG: files, DR_SYNCER_NAMESPACE: namespace }, signal);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A kubeconfig that says which entries of others are meant. Pure. */
export function overlay(namespace: string, { cluster, user }: CheckOptions['kubeconfig']): string {
  const context = { cluster, user, namespace };
  return stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': CONTEXT },
    contexts: [{ name: CONTEXT, context }],
  });
}

function run(
  { command: [program, ...args], timeoutMs, say }: CheckOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<CheckResult> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, timeout]);
  return new Promise((resolve, reject) => {
    // A group of its own, so that all it has started ends with it.
    const child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => say(text));
    }
    const onStop = () => endGroup(child);
    stop.addEventListener('abort', onStop, { once: true });
    child.once('error', (err) => {
      stop.removeEventListener('abort', onStop);
      reject(new CommandFailure(`the check could not be run: ${err.message}`));
    });
    child.once('exit', (code) => {
      stop.removeEventListener('abort', onStop);
      const result = { exitCode: code ?? 128, timedOut: timeout.aborted && code !== 0 };
      const done = () => {
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        resolve(result);
      };
      // Something that it left behind may keep the pipes open.
      const late = setTimeout(done, DRAIN_MS);
      child.once('close', () => {
        clearTimeout(late);
        done();
      });
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS).unref();
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // All of it has ended.
  }
}
