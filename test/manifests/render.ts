import { join } from 'node:path';

import type { KubeObject } from '@dr-syncer/kube';
import { parseAllDocuments } from 'yaml';

import { ensureKubeBinaries } from '../cluster/binary.js';
import { ensureHelm } from '../cluster/go-tools.js';
import { repositoryRoot } from '../cluster/paths.js';
import { run } from '../cluster/process/run.js';
import { readSettings } from '../cluster/settings.js';

const report = (line: string): void => void process.stderr.write(`${line}\n`);

/** kubectl of the test clusters' version. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const program = join(await ensureKubeBinaries(readSettings(), report), 'kubectl');
  return (await run(program, args, input === undefined ? {} : { input })).stdout;
}

/** @param path below manifests/ */
export function kustomized(path: string): Promise<string> {
  return kubectl(['kustomize', join(repositoryRoot(), 'manifests', path)]);
}

/** What `helm install` would apply, the namespace included. */
export async function charted(values: Readonly<Record<string, unknown>>): Promise<string> {
  const helm = await ensureHelm(readSettings(), report);
  const chart = join(repositoryRoot(), 'charts/dr-syncer');
  const place = ['--namespace', 'dr-syncer-system', '--kube-version', '1.31.0', '--values', '-'];
  const input = JSON.stringify({ ...values, namespace: { create: true } });
  return (await run(helm, ['template', 'dr-syncer', chart, ...place], { input })).stdout;
}

/** Objects by kind, namespace and name; what only Helm reads is left out. */
export function objectsByKey(text: string): Map<string, KubeObject> {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null);
  const objects = documents.filter((one) => one !== null);
  return new Map(objects.map((one) => [keyOf(one), withoutHelm(one)]));
}

function keyOf({ kind, metadata: { namespace = '', name } }: KubeObject): string {
  return `${kind} ${namespace}/${name}`;
}

function withoutHelm(object: KubeObject): KubeObject {
  const { annotations = {}, ...metadata } = object.metadata;
  const kept = Object.entries(annotations).filter(([key]) => !key.startsWith('helm.sh/'));
  return {
    ...object,
    metadata: { ...metadata, ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }) },
  };
}
