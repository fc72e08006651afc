import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Socket } from 'node:net';

import { Secret } from '@dr-syncer/api';

import type { ClusterAccess } from '../cluster-access.js';
import { errorOfConnection } from '../connection-error.js';
import { untilAborted } from '../deadline.js';
import { KubeError } from '../kube-error.js';
import { readText } from '../read-body.js';
import { describeOperation, errorOfResponse, type Operation } from '../status-response.js';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_ERROR_BYTES = 64 * 1024;

export interface UpgradeRequest {
  readonly operation: Operation;
  /** From `/api` or `/apis` on, with the query. */
  readonly path: string;
  /** The subprotocols that are understood, best first. */
  readonly protocols: readonly string[];
  readonly userAgent: string;
}

export interface UpgradedSocket {
  readonly socket: Socket;
  /** Bytes that came with the response. */
  readonly head: Buffer;
  /** The one of the subprotocols that the server chose. */
  readonly protocol: string;
}

/**
 * Opens a WebSocket to an API server on a connection of its own and hands over the bare socket.
 *
 * @throws KubeError, with what the server says when it refuses
 */
export async function openWebSocket(
  access: ClusterAccess,
  call: UpgradeRequest,
  signal: AbortSignal,
): Promise<UpgradedSocket> {
  const { token } = access;
  const bearer = token === undefined || token instanceof Secret ? token : await token.current();
  const key = randomBytes(16).toString('base64');
  try {
    return await untilAborted(upgrade(access, call, { key, bearer }, signal), signal);
  } catch (err) {
    throw errorOfConnection(call.operation, err);
  }
}

function upgrade(
  access: ClusterAccess,
  call: UpgradeRequest,
  { key, bearer }: { key: string; bearer: Secret | undefined },
  signal: AbortSignal,
): Promise<UpgradedSocket> {
  const url = new URL(access.server);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      method: 'GET',
      // Brackets are part of the URL's IPv6 hosts and not of the socket's.
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      path: url.pathname.replace(/\/+$/, '') + call.path,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        host: url.host,
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
        'sec-websocket-protocol': call.protocols.join(', '),
        'user-agent': call.userAgent,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer.reveal()}` }),
      },
      agent: false,
      signal,
      rejectUnauthorized: true,
      ...(access.ca !== undefined && { ca: access.ca }),
      ...(access.cert !== undefined && { cert: access.cert }),
      ...(access.key !== undefined && { key: access.key.reveal() }),
      ...(access.tlsServerName !== undefined && { servername: access.tlsServerName }),
    });
    outgoing.once('error', reject);
    outgoing.once('upgrade', (response, socket, head) => {
      const protocol = agreed(response, call, key);
      if (protocol === undefined) {
        socket.destroy();
        reject(badResponse(call.operation, 'the server did not agree to a WebSocket'));
        return;
      }
      resolve({ socket, head, protocol });
    });
    outgoing.once('response', (response) => {
      refusal(call.operation, response).then(reject, reject);
    });
    outgoing.end();
  });
}

function agreed({ headers }: IncomingMessage, call: UpgradeRequest, key: string): string | undefined {
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  const protocol = headers['sec-websocket-protocol'];
  const fits =
    headers['sec-websocket-accept'] === accept &&
    headers['sec-websocket-extensions'] === undefined &&
    protocol !== undefined &&
    call.protocols.includes(protocol);
  return fits ? protocol : undefined;
}

async function refusal(operation: Operation, response: IncomingMessage): Promise<KubeError> {
  const status = response.statusCode ?? 0;
  const text = await readText(response, MAX_ERROR_BYTES).catch(() => '');
  if (status < 300) return badResponse(operation, `HTTP ${status} instead of a WebSocket`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // What is not JSON comes from a proxy, and its words are not passed on.
    body = undefined;
  }
  return errorOfResponse(operation, status, undefined, body);
}

function badResponse(operation: Operation, message: string): KubeError {
  return new KubeError(`${describeOperation(operation)}: ${message}`, { status: 0, reason: 'BadResponse' });
}
