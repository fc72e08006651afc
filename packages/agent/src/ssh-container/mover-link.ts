import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { DrError } from '@dr-syncer/api';
import type { Logger } from '@dr-syncer/runtime';
import {
  type EventData,
  type EventName,
  type Method,
  type Params,
  Peer,
  type RequestOptions,
  type Result,
} from '@dr-syncer/ssh';

type Listener<E extends EventName> = (data: EventData<E>) => void;

export interface MoverLinkOptions {
  /** Unix socket of the mover container. */
  readonly socketPath: string;
  readonly logger: Logger;
  readonly retryMs?: number;
}

const EVENTS: readonly EventName[] = ['transfer', 'permissions', 'receiver.exit'];

/**
 * The connection to the `mover` container of the same pod, made anew whenever it is lost. Subscriptions outlive a
 * reconnection; requests do not.
 */
export class MoverLink {
  readonly #options: MoverLinkOptions;
  readonly #listeners = new Map<EventName, Set<Listener<EventName>>>();
  readonly #lostListeners = new Set<() => void>();
  #peer: Peer | undefined;

  constructor(options: MoverLinkOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#peer !== undefined;
  }

  /** Keeps the connection until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { socketPath, logger, retryMs = 1_000 } = this.#options;
    const stopped = () => signal.aborted;
    let complained = false;
    while (!stopped()) {
      try {
        await this.#serve(await connectUnix(socketPath, signal), signal);
        complained = false;
      } catch (err) {
        // Once: both containers start together, and a minute of the same line helps nobody.
        if (!stopped() && !complained) logger.warn('mover not reached, trying again', { err });
        complained = true;
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @throws DrError AgentNotReady while there is no mover; otherwise as `Peer.request` */
  request<M extends Method>(method: M, params: Params<M>, options?: RequestOptions): Promise<Result<M>> {
    if (this.#peer === undefined) {
      return Promise.reject(new DrError('AgentNotReady', 'the mover container of the agent does not answer'));
    }
    return this.#peer.request(method, params, options);
  }

  /** Returns the function that stops listening. */
  on<E extends EventName>(event: E, listener: Listener<E>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(event, listeners);
    return () => void listeners.delete(listener);
  }

  /** The mover is gone, and with it everything that it had open. Returns the function that stops listening. */
  onLost(listener: () => void): () => void {
    this.#lostListeners.add(listener);
    return () => void this.#lostListeners.delete(listener);
  }

  async #serve(socket: Socket, signal: AbortSignal): Promise<void> {
    const peer = new Peer(socket);
    peer.handle({});
    for (const event of EVENTS) {
      peer.on(event, (data) => {
        for (const listener of this.#listeners.get(event) ?? []) listener(data);
      });
    }
    const close = () => peer.close();
    signal.addEventListener('abort', close, { once: true });
    this.#peer = peer;
    this.#options.logger.info('mover connected');
    const { error } = await peer.closed;
    signal.removeEventListener('abort', close);
    this.#peer = undefined;
    for (const listener of [...this.#lostListeners]) listener();
    if (!signal.aborted) this.#options.logger.error('mover lost', { err: error });
  }
}

/** @throws the error of connect(2) */
export function connectUnix(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // Half-open: the end of what is sent must not cut off what still comes.
    const socket = connect({ path, allowHalfOpen: true });
    const abort = () => socket.destroy(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
