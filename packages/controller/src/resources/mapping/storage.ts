import type { ReplicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, type Json, recordAt, records, specOf } from '../json.js';
import { podTemplates } from '../pod-templates.js';
import { lookUp } from './look-up.js';

type StorageMapping = Pick<ReplicationSpec['pvcConfig'], 'storageClassMapping' | 'accessModeMapping'>;

/** The class of a claim before `spec.storageClassName` was there; where both are, it counts. */
const LEGACY_CLASS = 'volume.beta.kubernetes.io/storage-class';

/**
 * Applies the mappings of storage classes and access modes, in place: to claims, to the claim templates of
 * StatefulSets and to volumes of pods that are claims of their own. A claim without a class has the default class of
 * its cluster at both ends.
 */
export function mapStorage(object: KubeObject, mapping: StorageMapping): void {
  if (object.kind === 'PersistentVolumeClaim' && object.apiVersion === 'v1') mapClaim(object, mapping);
  for (const template of records(specOf(object)['volumeClaimTemplates'])) mapClaim(template, mapping);
  for (const template of podTemplates(object)) {
    const spec = isRecord(template['spec']) ? template['spec'] : {};
    for (const volume of records(spec['volumes'])) {
      const claim = recordAt(volume, ['ephemeral', 'volumeClaimTemplate']);
      if (claim !== undefined) mapClaim(claim, mapping);
    }
  }
}

function mapClaim(claim: Json, { storageClassMapping, accessModeMapping = {} }: StorageMapping): void {
  const annotations = recordAt(claim, ['metadata', 'annotations']);
  if (annotations !== undefined) mapField(annotations, LEGACY_CLASS, storageClassMapping);
  const { spec } = claim;
  if (!isRecord(spec)) return;
  mapField(spec, 'storageClassName', storageClassMapping);
  const modes = spec['accessModes'];
  if (Array.isArray(modes)) {
    spec['accessModes'] = [...new Set(modes.map((mode: unknown) => accessModeMapping[String(mode)] ?? mode))];
  }
}

function mapField(holder: Json, field: string, mapping: Readonly<Record<string, string>> | undefined): void {
  const value = holder[field];
  if (typeof value === 'string') holder[field] = lookUp(mapping, value) ?? value;
}

/** Names of the storage classes that the object asks for. `""` asks for a volume without a class. */
export function storageClassesOf(object: KubeObject): string[] {
  const claims: Json[] = [
    ...(object.kind === 'PersistentVolumeClaim' && object.apiVersion === 'v1' ? [object] : []),
    ...records(specOf(object)['volumeClaimTemplates']),
  ];
  const names = claims.map(
    (claim) =>
      recordAt(claim, ['metadata', 'annotations'])?.[LEGACY_CLASS] ??
      recordAt(claim, ['spec'])?.['storageClassName'],
  );
  return names.filter((name): name is string => typeof name === 'string' && name !== '');
}
