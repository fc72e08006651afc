import { annotation, type RemoteClusterStatus } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

/** What is replaced, and how: in order, or refused at once. */
export interface RotationOrder {
  readonly sshKey?: 'true' | 'revoke';
  readonly hostKeys?: 'true';
}

export type RotationState =
  | { readonly state: 'goes on'; readonly text: string }
  /** `unconfirmed`: nodes that have not been seen to refuse a revoked key. */
  | { readonly state: 'ended'; readonly unconfirmed: readonly string[] };

/** The annotations that ask for it. */
export function annotationsOf({ sshKey, hostKeys }: RotationOrder): Record<string, string> {
  return {
    ...(sshKey !== undefined && { [annotation.rotateSshKey]: sshKey }),
    ...(hostKeys !== undefined && { [annotation.rotateHostKeys]: hostKeys }),
  };
}

/**
 * How far it is. The controller takes an annotation away when the work is done, and what is left of a revocation is in
 * the status. Pure.
 *
 * @param object RemoteCluster, or the metadata of the Secret of the source's own key
 */
export function rotationState(object: KubeObject, order: RotationOrder): RotationState {
  const present = object.metadata.annotations ?? {};
  const left = Object.keys(annotationsOf(order)).filter((name) => present[name] !== undefined);
  const { sshKey, hostKeys } = (object['status'] ?? {}) as RemoteClusterStatus;
  if (left.length === 0 && !isUnsaid(sshKey, order)) {
    return { state: 'ended', unconfirmed: order.sshKey === 'revoke' ? unconfirmed(sshKey) : [] };
  }
  const texts = [
    ...(left.includes(annotation.rotateHostKeys) ? [`host keys: ${phaseText(hostKeys?.rotation)}`] : []),
  ];
  if (left.length === 0 || left.includes(annotation.rotateSshKey)) {
    texts.unshift(`key: ${phaseText(sshKey?.rotation)}`);
  }
  return { state: 'goes on', text: texts.join('; ') };
}

type SshKey = RemoteClusterStatus['sshKey'];

/** Between the removal of the annotation and the status that says which nodes are waited for is a write. */
function isUnsaid(sshKey: SshKey, { sshKey: asked }: RotationOrder): boolean {
  return asked === 'revoke' && sshKey?.rotation?.phase === 'Revoking';
}

function unconfirmed(sshKey: SshKey): readonly string[] {
  return sshKey?.revoked?.notConfirmedBy ?? [];
}

type Rotation = NonNullable<SshKey>['rotation'];

function phaseText(rotation: Rotation): string {
  if (rotation === undefined) return 'asked for';
  const { phase, waitingFor = [], problem } = rotation;
  const nodes = waitingFor.length === 0 ? '' : `, waiting for ${waitingFor.join(', ')}`;
  return `${phase}${nodes}${problem === undefined ? '' : `, ${problem}`}`;
}
