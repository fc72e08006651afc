import { describeDifferences } from '../tree/compare.js';
import type { Context } from './context.js';
import { compareData } from './data.js';
import { formatCount } from './format.js';
import type { KubeObject } from './kubectl.js';
import { differencesOf, normalise } from './normalise.js';
import { DATA, SHOP, shopObjects } from './shop.js';

const ORIGINAL_REPLICAS = 'dr-syncer.io/original-replicas';

export interface Count {
  readonly compared: number;
  readonly equal: number;
}

export interface Verdict {
  readonly objects: Count;
  readonly files: Count;
}

/**
 * Compares the standby with its source without any of dr-syncer's own code: objects as kubectl shows them, data by
 * manifests made at both ends. Differences are printed.
 */
export async function verify(context: Context): Promise<Verdict> {
  const [objects, files] = await Promise.all([compareObjects(context), compareData(context)]);
  const { screen } = context;
  for (const line of objects.lines) screen.note(line);
  for (const line of describeDifferences(files.differences)) screen.note(line);
  screen.note(countLine('objects', objects.count));
  screen.note(countLine('files', files));
  return { objects: objects.count, files };
}

export function countLine(what: string, count: Count): string {
  return `${what}: ${formatCount(count.compared)} compared, ${formatCount(count.equal)} equal`;
}

export function allEqual({ objects, files }: Verdict): boolean {
  return objects.compared === objects.equal && files.compared === files.equal;
}

async function compareObjects(context: Context): Promise<{ count: Count; lines: string[] }> {
  const { settings } = context;
  const mapping = { [settings.sourceStorageClass]: settings.remoteStorageClass };
  const wanted = shopObjects({ image: settings.image, storageClass: settings.sourceStorageClass });
  const names = wanted.map((each) => `${each.kind}/${each.metadata.name}`);
  names.push(`PersistentVolumeClaim/${DATA.claim}`);
  const [left, right] = await Promise.all([
    context.source.findAll(names, SHOP),
    context.remote.findAll(names, SHOP),
  ]);
  const results = names.map((name) =>
    objectDifferences(left.get(name), right.get(name), mapping).map((line) => `${name}: ${line}`),
  );
  const equal = results.filter((lines) => lines.length === 0).length;
  return { count: { compared: names.length, equal }, lines: results.flat() };
}

/** What is wrong with the copy of an object, a line each; nothing: it is as it should be. */
export function objectDifferences(
  left: KubeObject | undefined,
  right: KubeObject | undefined,
  storageClasses: Readonly<Record<string, string>>,
): string[] {
  if (left === undefined) return ['is not in the source'];
  if (right === undefined) return ['is not in the remote'];
  const found = differencesOf(normalise(left, storageClasses), normalise(right, storageClasses));
  // The values of a Secret are nobody's business, in a demo too.
  const hidden = left.kind === 'Secret';
  const lines = found.map(({ path, left: a, right: b }) =>
    hidden ? `${path} differs` : `${path}: ${a ?? '(none)'} -> ${b ?? '(none)'}`,
  );
  return [...lines, ...standbyDifferences(left, right)];
}

/** A standby runs nothing, and remembers how much there was. */
function standbyDifferences(left: KubeObject, right: KubeObject): string[] {
  if (left.kind !== 'Deployment' && left.kind !== 'StatefulSet') return [];
  const lines: string[] = [];
  const original = String(replicasOf(left));
  const kept = right.metadata.annotations?.[ORIGINAL_REPLICAS];
  if (replicasOf(right) !== 0) lines.push(`.spec.replicas is ${replicasOf(right)}, not 0`);
  if (kept !== original)
    lines.push(`annotation ${ORIGINAL_REPLICAS} is ${kept ?? 'missing'}, not ${original}`);
  return lines;
}

/** The API server writes 1 where nothing is given. */
function replicasOf(object: KubeObject): number {
  return (object['spec'] as { replicas?: number } | undefined)?.replicas ?? 1;
}
