import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Secret } from '@dr-syncer/api';
import type { ClusterAccess } from '../cluster-access.js';
import { type Authority, issueCertificate } from './certificates.js';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Handler = (request: SeenRequest, response: ServerResponse) => void;

/**
 * An HTTPS server that answers as the test says, for what a real API server can't be made to do: fall silent, expire a
 * watch in the middle, reset a socket, send rubbish. It knows nothing of Kubernetes.
 */
export class FakeServer {
  readonly access: ClusterAccess;
  /** Every request in the order of arrival. */
  readonly requests: SeenRequest[] = [];
  /** TCP connections accepted so far. */
  connections = 0;
  /** Answers from now on. */
  handler: Handler;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, authority: Authority, handler: Handler) {
    this.#server = server;
    this.handler = handler;
    const { port } = server.address() as AddressInfo;
    this.access = {
      server: `https://127.0.0.1:${port}`,
      ca: authority.cert,
      token: new Secret('a-token-that-must-not-leak'),
    };
    server.on('connection', (raw) => {
      const socket = raw as Socket;
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async start(handler: Handler = notFound): Promise<FakeServer> {
    const authority = issueCertificate({ commonName: 'test authority', authority: true });
    const identity = issueCertificate({
      commonName: 'server',
      issuer: authority,
      names: ['127.0.0.1', 'api.test'],
    });
    const server = createServer({ cert: identity.cert, key: identity.key });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeServer(server, authority, handler);
  }

  /** Breaks every open connection with a reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'https://fake');
    const seen = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    };
    this.requests.push(seen);
    this.handler(seen, response);
  }
}

/** Ends a response with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Ends a response with a `Status`. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  more: { message?: string; details?: object; headers?: Record<string, string> } = {},
): void {
  const { headers, ...rest } = more;
  sendJson(
    response,
    code,
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, ...rest },
    headers,
  );
}

/** Writes watch events, one a line, and leaves the response open. */
export function sendEvents(response: ServerResponse, ...events: { type: string; object: unknown }[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  for (const event of events) response.write(`${JSON.stringify(event)}\n`);
}

function notFound(_request: SeenRequest, response: ServerResponse): void {
  sendStatus(response, 404, 'NotFound');
}
