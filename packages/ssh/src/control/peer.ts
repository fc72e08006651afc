import type { Duplex } from 'node:stream';
import { DrError, toDrError } from '@dr-syncer/api';
import { FrameWriter } from './frame-writer.js';
import { type Frame, frameSchema } from './frames.js';
import { LineReader } from './line-reader.js';
import {
  type EventData,
  type EventName,
  events,
  type Method,
  methods,
  type Params,
  type Result,
} from './messages.js';
import { Requests } from './requests.js';
import { type Handlers, Responder } from './responder.js';

export interface PeerOptions {
  /** Requests that may wait for an answer, each way; the same at both ends. Default 256. */
  readonly maxPending?: number;
  /** Default 1 MiB; the same at both ends. */
  readonly maxLineBytes?: number;
  /** For `request` without a `timeoutMs` of its own. Default 30,000; 0: none. */
  readonly requestTimeoutMs?: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** 0: wait for ever (`transfers.watch`). */
  readonly timeoutMs?: number;
}

export interface PeerEnd {
  /** Absent when the stream ended in order. */
  readonly error?: DrError;
}

type Listener = (data: never) => void;

/** How long what was said last may take to leave before the stream is torn down. */
const LINGER_MS = 1000;

/**
 * One end of the control protocol over any byte stream. Both ends may ask, answer and send events. What comes in is
 * checked against `messages.ts` before anybody sees it. A peer that breaks the protocol (a line that is too long or no
 * frame, an id used twice, more requests than allowed, an answer to nothing) is cut off: nothing that follows in such
 * a stream can be trusted.
 */
export class Peer {
  /** Resolves (never rejects) when the stream has ended. */
  readonly closed: Promise<PeerEnd>;

  readonly #stream: Duplex;
  readonly #requestTimeoutMs: number;
  readonly #lines: LineReader;
  readonly #writer: FrameWriter;
  readonly #requests: Requests;
  readonly #responder: Responder;
  readonly #listeners = new Map<EventName, Set<Listener>>();
  readonly #resolveClosed: (end: PeerEnd) => void;
  #ended = false;

  constructor(stream: Duplex, options: PeerOptions = {}) {
    const { maxPending = 256, maxLineBytes = 1024 * 1024, requestTimeoutMs = 30_000 } = options;
    const { promise, resolve } = deferred<PeerEnd>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#stream = stream;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#lines = new LineReader(maxLineBytes);
    // Each open request has a frame or two; the rest is for events.
    const limits = { maxLineBytes, maxUnsent: 8 * maxPending };
    this.#writer = new FrameWriter(stream, limits, () =>
      this.#cut(new DrError('Timeout', 'the peer does not read')),
    );
    this.#requests = new Requests(this.#writer, maxPending);
    this.#responder = new Responder(this.#writer, maxPending);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.once('end', () => this.#end());
    stream.once('close', () => this.#end());
    stream.on('error', (err) =>
      this.#cut(new DrError('AgentUnreachable', `connection lost: ${err.message}`)),
    );
    // A stream that was paused on purpose (`pauseOnConnect`) stays so with a listener alone.
    stream.resume();
  }

  /** Requests with a time limit that wait for an answer: what is worth waiting for before `close`. */
  get awaited(): number {
    return this.#requests.awaited;
  }

  /** Sets what is answered. Call it in the same tick as the constructor, before anything can have arrived. */
  handle(handlers: Handlers): void {
    this.#responder.setHandlers(handlers);
  }

  /**
   * @throws DrError: the code of the other side; Timeout; Cancelled; Busy when `maxPending` requests wait already;
   *   BadRequest when question or answer are not as `messages.ts` says; AgentUnreachable when the stream has ended.
   */
  async request<M extends Method>(
    method: M,
    params: Params<M>,
    { signal, timeoutMs = this.#requestTimeoutMs }: RequestOptions = {},
  ): Promise<Result<M>> {
    const raw = await this.#requests.ask(method, params, { signal, timeoutMs });
    const parsed = methods[method].result.safeParse(raw);
    if (!parsed.success) throw new DrError('BadRequest', `the answer to ${method} is not as it should be`);
    return parsed.data as Result<M>;
  }

  /**
   * Resolves when the stream has taken it (true) or the peer is closed (false). Wait for it before the next one: with
   * thousands unsent the peer is cut off.
   */
  async emit<E extends EventName>(event: E, data: EventData<E>): Promise<boolean> {
    return this.#writer.send({ t: 'event', event, data });
  }

  /** Returns the function that stops listening. */
  on<E extends EventName>(event: E, listener: (data: EventData<E>) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set<Listener>();
    listeners.add(listener);
    this.#listeners.set(event, listeners);
    return () => void listeners.delete(listener);
  }

  /** Ends the stream; open requests fail, handlers see their signal aborted. */
  close(): void {
    this.#end();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        if (this.#ended) return;
        this.#dispatch(parseFrame(line));
      }
    } catch (err) {
      this.#cut(toDrError(err, err instanceof RangeError ? 'BadRequest' : 'Internal'));
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.t) {
      case 'request':
        this.#responder.start(frame);
        break;
      case 'cancel':
        this.#responder.cancel(frame.id);
        break;
      case 'event':
        this.#deliver(frame.event, frame.data);
        break;
      case 'result':
      case 'error':
        this.#requests.settle(frame);
        break;
    }
  }

  /** Events of a newer peer that have no name here are passed over. */
  #deliver(event: string, raw: unknown): void {
    if (!isEventName(event)) return;
    const parsed = events[event].safeParse(raw);
    if (!parsed.success) throw new DrError('BadRequest', `the event ${event} is not as it should be`);
    for (const listener of this.#listeners.get(event) ?? []) listener(parsed.data as never);
  }

  #end(error?: DrError): void {
    if (this.#ended) return;
    this.#ended = true;
    const reason = error ?? new DrError('AgentUnreachable', 'the connection was closed');
    this.#requests.endAll(reason);
    this.#responder.abortAll(reason);
    const linger = setTimeout(() => this.#stream.destroy(), LINGER_MS);
    this.#stream.once('close', () => clearTimeout(linger));
    this.#stream.end(() => this.#stream.destroy());
    this.#writer.close();
    this.#resolveClosed(error ? { error } : {});
  }

  #cut(error: DrError): void {
    this.#end(error);
    this.#stream.destroy();
  }
}

/** @throws DrError BadRequest */
function parseFrame(line: Buffer): Frame {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(line);
    return frameSchema.parse(JSON.parse(text));
  } catch {
    throw new DrError('BadRequest', 'the peer sent a line that is no frame');
  }
}

function isEventName(name: string): name is EventName {
  return Object.hasOwn(events, name);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
