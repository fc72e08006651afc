import { annotation, durationMs, type RemoteCluster } from '@dr-syncer/api';
import type { KubeClient } from '@dr-syncer/kube';

import { remoteClusters } from '../custom-resources.js';
import { acknowledgeAnnotation } from '../rotation/acknowledge.js';
import type { KeyOrders } from '../rotation/cluster-keys.js';
import type { RotationOrder } from '../rotation/key-rotation.js';
import type { RotationPolicy } from '../rotation/machine.js';
import { type AskedFor, askedBy, dueAt } from '../rotation/request.js';
import type { RemoteClusterReport } from './status.js';

/** What a RemoteCluster wants of its keys; `refused`: what of it is not understood, for people. */
export function keyOrders(
  client: KubeClient,
  report: RemoteClusterReport,
): { readonly orders: KeyOrders; readonly refused: string | undefined } {
  const { remote } = report;
  const { annotations } = remote.metadata;
  const order = (name: string, asked: AskedFor): RotationOrder => ({
    annotated: 'request' in asked ? asked.request : 'none',
    ...{ dueAt: dueOf(remote), policy: policyOf(remote) },
    acknowledge: async (done, signal) => {
      const value = done === 'revoke' ? 'revoke' : 'true';
      const { namespace, name: of } = remote.metadata;
      const ref = { resource: remoteClusters, namespace, name: of };
      const written = await acknowledgeAnnotation(client, ref, { name, value }, signal);
      report.resourceVersion = written ?? report.resourceVersion;
    },
  });
  const [ssh, host] = [annotation.rotateSshKey, annotation.rotateHostKeys];
  const [sshAsked, hostAsked] = [
    askedBy(ssh, annotations[ssh], true),
    askedBy(host, annotations[host], false),
  ];
  const refused = [sshAsked, hostAsked].flatMap((asked) => ('refused' in asked ? [asked.refused] : []));
  return {
    orders: { client: order(ssh, sshAsked), host: order(host, hostAsked) },
    refused: refused.length === 0 ? undefined : refused.join(' '),
  };
}

function dueOf({ metadata: { uid }, spec }: RemoteCluster): (createdAt: Date) => Date | undefined {
  const { interval } = spec.keyRotation;
  return (createdAt) => (interval === undefined ? undefined : dueAt(createdAt, durationMs(interval), uid));
}

function policyOf({ spec: { keyRotation } }: RemoteCluster): RotationPolicy {
  return {
    overlapMs: durationMs(keyRotation.overlap),
    waitForAllNodes: keyRotation.waitForAllNodes,
    nodeDeadlineMs: durationMs(keyRotation.nodeDeadline),
  };
}
