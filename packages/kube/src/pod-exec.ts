import type { Socket } from 'node:net';

import type { CallOptions } from './client-types.js';
import type { ClusterAccess } from './cluster-access.js';
import { withDeadline } from './deadline.js';
import { KubeError } from './kube-error.js';
import { objectOperation, objectPath } from './paths.js';
import { describeOperation, type Operation } from './status-response.js';
import { wellKnown } from './well-known.js';
import { type ExecEnd, ExecReader } from './websocket/exec-reader.js';
import { encodeFrame, FrameError, type FramePart, FrameReader, opcode } from './websocket/frames.js';
import { openWebSocket, type UpgradedSocket } from './websocket/upgrade.js';

export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Program and arguments: no shell is involved. */
  readonly command: readonly string[];
}

/** A command that the kubelet has accepted. */
export interface PodExec {
  /** Rejects with a KubeError when the connection broke before the end was known: the command may go on. */
  readonly ended: Promise<ExecEnd>;
  /** Listens no more. The kubelet does not end a command whose connection is gone. */
  close(): void;
}

/** As for port-forward; a command without input needs nothing of version 5. */
const PROTOCOLS = ['v4.channel.k8s.io'];
const TIMEOUT_MS = 15_000;
/** RFC 6455 section 7.4.1: normal closure. */
const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);

/**
 * Runs a command in a container, through the API server and the kubelet: needs "get" and, since Kubernetes 1.35, "create"
 * on pods/exec. What the command writes is dropped.
 *
 * @returns when the kubelet has accepted it
 * @throws KubeError: it was not begun, unless the time for the answer ran out
 */
export async function podExec(
  access: ClusterAccess,
  { namespace, pod, container, command }: PodCommand,
  { signal, timeoutMs = TIMEOUT_MS }: CallOptions = {},
): Promise<PodExec> {
  const ref = { resource: wellKnown.pods, namespace, name: pod };
  const operation = { ...objectOperation('get', ref), resource: 'pods/exec' };
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  for (const word of command) query.append('command', word);
  const path = `${objectPath(ref, 'exec')}?${query.toString()}`;
  const timeout = () =>
    new KubeError(`${describeOperation(operation)}: no answer within ${timeoutMs} ms`, {
      status: 0,
      reason: 'Timeout',
    });
  const call = { operation, path, protocols: PROTOCOLS, userAgent: 'dr-syncer' };
  const upgraded = await withDeadline(signal, timeoutMs, timeout, (bounded) =>
    openWebSocket(access, call, bounded),
  );
  const { socket } = upgraded;
  const ended = follow(upgraded, operation);
  // Whoever closes early does not wait for it.
  ended.catch(() => undefined);
  return { ended, close: () => socket.destroy() };
}

function follow({ socket, head }: UpgradedSocket, operation: Operation): Promise<ExecEnd> {
  const frames = new FrameReader();
  const reader = new ExecReader();
  socket.setKeepAlive(true, 30_000);
  return new Promise((resolve, reject) => {
    const failure = (message: string, cause?: unknown) =>
      new KubeError(
        `${describeOperation(operation)}: ${message}`,
        { status: 0, reason: 'ConnectionReset' },
        { cause },
      );
    const over = (): void => {
      const { end } = reader;
      if (end === undefined) reject(failure('the connection ended before the command'));
      else resolve(end);
      socket.destroy();
    };
    const take = (chunk: Buffer): void => {
      try {
        for (const part of frames.push(chunk)) if (handle(part, reader, socket)) over();
      } catch (err) {
        reject(failure(err instanceof FrameError ? err.message : 'unreadable', err));
        socket.destroy();
      }
    };
    socket.on('data', take);
    socket.once('end', over);
    socket.once('close', over);
    socket.on('error', (err) => reject(failure('the connection broke', err)));
    if (head.length > 0) take(head);
  });
}

/** True: the kubelet has closed. */
function handle(part: FramePart, reader: ExecReader, socket: Socket): boolean {
  if (part.kind === 'ping') socket.write(encodeFrame(opcode.pong, part.payload));
  if (part.kind === 'data') reader.data(part.first, part.payload);
  if (part.kind !== 'close') return false;
  socket.write(encodeFrame(opcode.close, NORMAL_CLOSURE));
  return true;
}
