import type { Duplex } from 'node:stream';

import type { CallOptions } from './client-types.js';
import type { ClusterAccess } from './cluster-access.js';
import { withDeadline } from './deadline.js';
import { KubeError } from './kube-error.js';
import { objectOperation, objectPath, withQuery } from './paths.js';
import { wellKnown } from './well-known.js';
import { PortStream } from './websocket/port-stream.js';
import { openWebSocket } from './websocket/upgrade.js';

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  /** Of the pod, 1 to 65535. */
  readonly port: number;
}

/**
 * The WebSocket protocol that every kubelet since Kubernetes 1.6 serves; one connection carries one stream to one port.
 * The newer one (SPDY inside of a WebSocket, 1.31) brings nothing for a single stream.
 */
const PROTOCOLS = ['v4.channel.k8s.io'];
const TIMEOUT_MS = 15_000;

/**
 * A connection to a port of a pod, through the API server and the kubelet of its node: needs "get" and, since
 * Kubernetes 1.35, "create" on pods/portforward. Closed by whoever asked for it.
 *
 * It opens when the kubelet has accepted it; that nobody listens on the port shows as an error on the stream.
 *
 * @throws KubeError
 */
export async function portForward(
  access: ClusterAccess,
  { namespace, pod, port }: PodPort,
  { signal, timeoutMs = TIMEOUT_MS }: CallOptions = {},
): Promise<Duplex> {
  const ref = { resource: wellKnown.pods, namespace, name: pod };
  const operation = { ...objectOperation('get', ref), resource: 'pods/portforward' };
  const path = withQuery(objectPath(ref, 'portforward'), { ports: port });
  const timeout = () =>
    new KubeError(`port-forward to pod ${namespace}/${pod}: no answer within ${timeoutMs} ms`, {
      status: 0,
      reason: 'Timeout',
    });
  const call = { operation, path, protocols: PROTOCOLS, userAgent: 'dr-syncer' };
  const { socket, head } = await withDeadline(signal, timeoutMs, timeout, (bounded) =>
    openWebSocket(access, call, bounded),
  );
  return new PortStream(socket, head, operation);
}
