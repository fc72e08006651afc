import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { type buildConnector, type Dispatcher, Pool } from 'undici';
import { Secret } from '@dr-syncer/api';
import type { ClusterAccess } from './cluster-access.js';
import { KubeError } from './kube-error.js';
import { describeOperation, type Operation } from './status-response.js';

export interface TransportOptions {
  readonly maxConnections: number;
  readonly maxWatches: number;
  readonly userAgent: string;
}

export interface TransportRequest {
  readonly operation: Operation;
  readonly method: string;
  /** From `/api` or `/apis` on, with the query. */
  readonly path: string;
  readonly accept: string;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
  /** Ask for compressed content; lists of many objects shrink about tenfold. */
  readonly compressed?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Read the token anew, after a 401. */
  readonly freshToken?: boolean;
}

export interface TransportResponse {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly contentType: string;
  readonly body: Readable;
}

/** Below the 60 s after which many load balancers drop an idle connection; kube-apiserver itself waits 90 s. */
const KEEP_ALIVE_MS = 45_000;
const CONNECT_TIMEOUT_MS = 10_000;
const WATCH_HEADERS_TIMEOUT_MS = 30_000;

/**
 * HTTPS/1.1 to one API server. Watches have connections of their own, as one that waits in the queue of a full pool
 * is deaf without anyone noticing, and many of them would starve the calls.
 */
export class Transport {
  readonly #access: ClusterAccess;
  readonly #options: TransportOptions;
  readonly #basePath: string;
  readonly #calls: Pool;
  readonly #streams: Pool;
  #openStreams = 0;

  constructor(access: ClusterAccess, options: TransportOptions) {
    const url = new URL(access.server);
    if (url.protocol !== 'https:') throw new TypeError('only https API servers are spoken to');
    this.#access = access;
    this.#options = options;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    const connect = connectOptions(access);
    this.#calls = new Pool(url.origin, poolOptions(connect, options.maxConnections));
    this.#streams = new Pool(url.origin, poolOptions(connect, options.maxWatches));
  }

  /** Sends one request and returns when the headers of the response are there. The body must be read or destroyed. */
  async call(request: TransportRequest): Promise<TransportResponse> {
    // The caller's signal bounds the whole call, so undici's own timers are off.
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    const response = await this.#calls.request({ ...(await this.#prepare(request)), ...timeouts });
    return asResponse(response);
  }

  /**
   * Opens a stream; `idleMs` without a byte ends it with `UND_ERR_BODY_TIMEOUT`.
   * @throws KubeError TooManyWatches
   */
  async stream(request: TransportRequest, idleMs: number): Promise<TransportResponse> {
    if (this.#openStreams >= this.#options.maxWatches) {
      const message = `${describeOperation(request.operation)}: more than ${this.#options.maxWatches} watches`;
      throw new KubeError(message, { status: 0, reason: 'TooManyWatches' });
    }
    this.#openStreams += 1;
    try {
      const timeouts = { headersTimeout: Math.min(WATCH_HEADERS_TIMEOUT_MS, idleMs), bodyTimeout: idleMs };
      const response = asResponse(
        await this.#streams.request({ ...(await this.#prepare(request)), ...timeouts }),
      );
      response.body.once('close', () => (this.#openStreams -= 1));
      return response;
    } catch (err) {
      this.#openStreams -= 1;
      throw err;
    }
  }

  get openStreams(): number {
    return this.#openStreams;
  }

  /** True when a refused token may be answered by reading it again. */
  get hasRenewableToken(): boolean {
    return this.#access.token !== undefined && !(this.#access.token instanceof Secret);
  }

  /** Ends all connections; calls in flight fail. */
  async close(): Promise<void> {
    await Promise.all([this.#calls.destroy(), this.#streams.destroy()]);
  }

  async #prepare(request: TransportRequest): Promise<Dispatcher.RequestOptions> {
    const headers: Record<string, string> = { accept: request.accept, 'user-agent': this.#options.userAgent };
    if (request.contentType !== undefined) headers['content-type'] = request.contentType;
    if (request.compressed === true) headers['accept-encoding'] = 'gzip';
    const token = await this.#token(request.freshToken === true);
    if (token !== undefined) headers['authorization'] = `Bearer ${token.reveal()}`;
    return {
      method: request.method,
      path: this.#basePath + request.path,
      headers,
      body: request.body ?? null,
      signal: request.signal ?? null,
    };
  }

  async #token(refresh: boolean): Promise<Secret | undefined> {
    const { token } = this.#access;
    return token === undefined || token instanceof Secret ? token : token.current({ refresh });
  }
}

/**
 * One TLS context for all connections to a server: made from PEM texts for each of them, it costs a millisecond and
 * more memory than the connection itself.
 */
function connectOptions(access: ClusterAccess): buildConnector.BuildOptions {
  const secureContext = createSecureContext({
    ...(access.ca === undefined ? {} : { ca: access.ca }),
    ...(access.cert === undefined ? {} : { cert: access.cert }),
    ...(access.key === undefined ? {} : { key: access.key.reveal() }),
  });
  return {
    timeout: CONNECT_TIMEOUT_MS,
    rejectUnauthorized: true,
    secureContext,
    ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
  };
}

function poolOptions(connect: buildConnector.BuildOptions, connections: number): Pool.Options {
  return {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    connect,
  };
}

function asResponse(response: Dispatcher.ResponseData): TransportResponse {
  const { statusCode, headers, body } = response;
  return {
    status: statusCode,
    retryAfter: single(headers['retry-after']),
    contentType: single(headers['content-type']) ?? '',
    body: single(headers['content-encoding']) === 'gzip' ? gunzip(body) : body,
  };
}

function gunzip(body: Readable): Readable {
  const unpacked = createGunzip();
  body.once('error', (err) => unpacked.destroy(err));
  unpacked.once('close', () => body.destroy());
  return body.pipe(unpacked);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
