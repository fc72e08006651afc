import { setImmediate } from 'node:timers/promises';
import type { ClusterAccess } from './cluster-access.js';
import type { CallOptions, KubeClientOptions } from './client-types.js';
import { contained } from './contained.js';
import { errorOfConnection } from './connection-error.js';
import { sleep, withDeadline } from './deadline.js';
import { KubeError } from './kube-error.js';
import { readText, TooLongError } from './read-body.js';
import { retryDelayMs } from './retry.js';
import { describeOperation, errorOfResponse, type Operation } from './status-response.js';
import { Transport, type TransportRequest, type TransportResponse } from './transport.js';

export interface Call extends TransportRequest {
  readonly idempotent: boolean;
}

const DEFAULT_TIMEOUT_MS = 15_000;

/** One call with its deadline, retries, error mapping and metric; knows nothing of Kubernetes objects. */
export class Requester {
  readonly transport: Transport;
  readonly #options: KubeClientOptions;
  readonly #maxBytes: number;

  constructor(access: ClusterAccess, options: KubeClientOptions) {
    this.#options = options;
    this.#maxBytes = options.maxResponseBytes ?? 64 * 1024 * 1024;
    this.transport = new Transport(access, {
      maxConnections: options.maxConnections ?? 32,
      maxWatches: options.maxWatches ?? 256,
      userAgent: options.userAgent ?? 'dr-syncer',
    });
  }

  /** The parsed JSON of the response, or its text when it is not JSON. @throws KubeError */
  async send(
    call: Call,
    { signal, timeoutMs = this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS, retry = true }: CallOptions,
  ): Promise<unknown> {
    const timeout = (): Error =>
      new KubeError(`${describeOperation(call.operation)}: no answer within ${timeoutMs} ms`, {
        status: 0,
        reason: 'Timeout',
      });
    return this.#measured(call.operation, () =>
      withDeadline(signal, timeoutMs, timeout, (bounded) =>
        this.#retried(call, bounded, retry ? performance.now() + timeoutMs : 0),
      ),
    );
  }

  /** Opens a watch; the caller reads the body. @throws KubeError */
  async open(call: Call, idleMs: number): Promise<TransportResponse> {
    return this.#measured(call.operation, async () => {
      try {
        const response = await this.transport.stream(call, idleMs);
        if (response.status >= 300) throw await this.#failure(call.operation, response);
        return response;
      } catch (err) {
        throw errorOfConnection(call.operation, err);
      }
    });
  }

  /** @param deadline of `performance.now()`, after which no attempt begins; 0: there is but one, and a fresh token */
  async #retried(call: Call, signal: AbortSignal, deadline: number): Promise<unknown> {
    let freshToken = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once({ ...call, signal, freshToken });
      } catch (err) {
        signal.throwIfAborted();
        const expired = err instanceof KubeError && err.status === 401 && this.transport.hasRenewableToken;
        const delay = expired && !freshToken ? 0 : retryDelayMs(err, attempt, call.idempotent);
        // Waiting for longer than the caller does would hide the server's answer behind a timeout.
        if (delay === undefined || (delay > 0 && performance.now() + delay >= deadline)) throw err;
        freshToken ||= expired;
        await sleep(delay, signal);
      }
    }
  }

  async #once(call: Call): Promise<unknown> {
    try {
      const response = await this.transport.call(call);
      if (response.status >= 300) throw await this.#failure(call.operation, response);
      return await this.#content(call.operation, response);
    } catch (err) {
      throw errorOfConnection(call.operation, err);
    }
  }

  async #failure(operation: Operation, response: TransportResponse): Promise<KubeError> {
    const body = await this.#content(operation, response).catch(() => undefined);
    return errorOfResponse(operation, response.status, response.retryAfter, body);
  }

  async #content(operation: Operation, { body, contentType }: TransportResponse): Promise<unknown> {
    let text: string;
    try {
      text = await readText(body, this.#maxBytes);
      // undici takes a connection for free one turn of the event loop after the end of a response. Without this turn
      // a caller that goes straight on would be given a second connection.
      await setImmediate();
    } catch (err) {
      if (!(err instanceof TooLongError)) throw err;
      const message = `${describeOperation(operation)}: the response is larger than ${this.#maxBytes} bytes`;
      throw new KubeError(message, { status: 0, reason: 'ResponseTooLarge' });
    }
    return contentType.startsWith('application/json') ? parse(operation, text) : text;
  }

  async #measured<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    let status = 0;
    try {
      const result = await work();
      status = 200;
      return result;
    } catch (err) {
      if (err instanceof KubeError) ({ status } = err);
      throw err;
    } finally {
      this.#report(operation, status, (performance.now() - start) / 1000);
    }
  }

  #report({ verb, resource }: Operation, status: number, seconds: number): void {
    contained(() => this.#options.onRequest?.({ verb, resource, status, seconds }));
  }
}

/** V8's message quotes the text around the fault, which may be a Secret; so it is left out. */
function parse(operation: Operation, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KubeError(`${describeOperation(operation)}: the response is not JSON`, {
      status: 0,
      reason: 'BadResponse',
    });
  }
}
