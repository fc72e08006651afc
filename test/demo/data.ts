import { readFile } from 'node:fs/promises';

import { type Comparison, compareManifests } from '../tree/compare.js';
import { type Manifest, parseManifest } from '../tree/manifest.js';
import { type TreeTool, treeTool } from '../tree/tools.js';
import type { Context } from './context.js';
import { DemoFailure, describeLook, eventsLook } from './failure.js';
import type { Kubectl } from './kubectl.js';
import { DATA, SHOP, verifierPod } from './shop.js';

const TOOL_MS = 300_000;
const VERIFIER_MS = 120_000;

/** What `make_tree.py --change` says that it did. */
export interface Change {
  /** Files whose content is new. */
  readonly transfers: number;
  /** Bytes that are different in them. */
  readonly changedBytes: number;
  /** Their whole size: what moves at most. */
  readonly touchedBytes: number;
}

/** Runs one of the tools in a pod, from standard input: nothing has to be in the image but Python. */
async function runTool(at: Kubectl, pod: string, tool: TreeTool, args: readonly string[]): Promise<string> {
  const input = await readFile(treeTool(tool), 'utf8');
  const place = ['--namespace', SHOP, '-i', pod];
  return await at.run(['exec', ...place, '--', 'python3', '-', DATA.dir, ...args], {
    input,
    timeoutMs: TOOL_MS,
  });
}

export async function fillVolume({ source, settings }: Context): Promise<void> {
  await runTool(source, DATA.pod, 'make_tree.py', ['--size-mb', String(settings.sizeMb)]);
}

export async function changeVolume({ source }: Context): Promise<Change> {
  return parseChange(await runTool(source, DATA.pod, 'make_tree.py', ['--change', '--seed', '2']));
}

export function parseChange(text: string): Change {
  const values = new Map(text.split('\n').map((line) => line.split('=') as [string, string | undefined]));
  const number = (name: string): number => {
    const value = Number(values.get(name) ?? NaN);
    if (!Number.isInteger(value)) throw new Error(`make_tree.py did not say ${name}`);
    return value;
  };
  return {
    transfers: number('transfers'),
    changedBytes: number('changed_bytes'),
    touchedBytes: number('touched_bytes'),
  };
}

/** Compares the volume with its copy: each side's manifest is made where the data is. */
export async function compareData(context: Context): Promise<Comparison> {
  const [left, right] = await Promise.all([
    manifestIn(context.source, DATA.pod),
    withVerifier(context, async (pod) => await manifestIn(context.remote, pod)),
  ]);
  return compareManifests(left, right);
}

async function manifestIn(at: Kubectl, pod: string): Promise<Manifest> {
  // Made by mkfs and by the node's policy, not by the application.
  const options = ['--exclude', 'lost+found', '--skip-xattr', 'security.selinux'];
  return parseManifest(await runTool(at, pod, 'manifest.py', options));
}

/** The copy is mounted only while it is looked at: a standby belongs to nobody but the next sync. */
async function withVerifier<T>(context: Context, use: (pod: string) => Promise<T>): Promise<T> {
  const { remote, settings } = context;
  const pod = verifierPod(settings.image);
  const { name } = pod.metadata;
  await removeVerifier(remote, name);
  try {
    await remote.apply([pod]);
    await verifierReady(remote, name);
    return await use(name);
  } finally {
    if (!remote.signal.aborted) await removeVerifier(remote, name);
  }
}

async function verifierReady(remote: Kubectl, name: string): Promise<void> {
  const ready = `--timeout=${VERIFIER_MS / 1000}s`;
  try {
    await remote.run(['wait', `pod/${name}`, '--namespace', SHOP, '--for=condition=Ready', ready], {
      timeoutMs: VERIFIER_MS + 10_000,
    });
  } catch (error) {
    remote.signal.throwIfAborted();
    const looks = [describeLook(remote, SHOP, 'pod', name), eventsLook(remote, SHOP)];
    throw new DemoFailure('the pod that looks at the copy did not start', looks, { cause: error });
  }
}

async function removeVerifier(remote: Kubectl, name: string): Promise<void> {
  await remote.run(
    ['delete', 'pod', name, '--namespace', SHOP, '--ignore-not-found', '--wait', '--timeout=60s'],
    {
      timeoutMs: 70_000,
    },
  );
}
