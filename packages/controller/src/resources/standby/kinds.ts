import { type KubeObject, splitApiVersion } from '@dr-syncer/kube';

import { kindName } from '../type-names.js';

/** Where a kind has its number of replicas. */
export interface ScalePath {
  /** For example spec, replicas. */
  readonly path: readonly string[];
  /** Smallest number that the schema of the kind takes. */
  readonly minimum: number;
  /** What an absent number means; undefined: its operator knows. */
  readonly absent: number | undefined;
}

/** Scale paths of custom kinds, by `Kind.group`. */
export type ScalePaths = ReadonlyMap<string, ScalePath>;

const replicas: ScalePath = { path: ['spec', 'replicas'], minimum: 0, absent: 1 };

const builtIn: ScalePaths = new Map([
  ['Deployment.apps', replicas],
  ['StatefulSet.apps', replicas],
  ['ReplicaSet.apps', replicas],
  ['ReplicationController', replicas],
  ['DeploymentConfig.apps.openshift.io', replicas],
]);

export function scalePathOf(object: KubeObject, custom: ScalePaths): ScalePath | undefined {
  const key = fullKind(object);
  return builtIn.get(key) ?? custom.get(key);
}

export function fullKind(object: KubeObject): string {
  return kindName(object.kind, splitApiVersion(object.apiVersion).group);
}
