import { DrError, toDrError } from '@dr-syncer/api';
import type { FrameWriter } from './frame-writer.js';
import type { Frame, FrameOf } from './frames.js';
import { type Method, methods, type Params, type Result } from './messages.js';

/** Answers one method. Reject with a `DrError` to choose the code that the other side sees. */
export type Handler<M extends Method> = (
  params: Params<M>,
  context: { readonly signal: AbortSignal },
) => Promise<Result<M>> | Result<M>;
export type Handlers = { readonly [M in Method]?: Handler<M> };

type AnyHandler = (params: unknown, context: { readonly signal: AbortSignal }) => unknown;

/** As frames allow it; what is longer helps nobody. */
const MAX_MESSAGE = 8000;

/** Runs the handlers for the questions of the other side. */
export class Responder {
  readonly #writer: FrameWriter;
  readonly #maxOpen: number;
  readonly #open = new Map<number, AbortController>();
  #handlers: Handlers = {};
  #lastId = 0;

  constructor(writer: FrameWriter, maxPending: number) {
    this.#writer = writer;
    // The asker counts an answer as arrived a little before this side counts it as sent.
    this.#maxOpen = 2 * maxPending;
  }

  setHandlers(handlers: Handlers): void {
    this.#handlers = handlers;
  }

  /** @throws DrError BadRequest when the other side breaks the protocol. */
  start(frame: FrameOf<'request'>): void {
    if (frame.id <= this.#lastId) throw new DrError('BadRequest', 'the id of a request was used before');
    if (this.#open.size >= this.#maxOpen) throw new DrError('BadRequest', 'more requests than are allowed');
    this.#lastId = frame.id;
    const controller = new AbortController();
    this.#open.set(frame.id, controller);
    void this.#run(frame, controller.signal).finally(() => this.#open.delete(frame.id));
  }

  cancel(id: number): void {
    this.#open.get(id)?.abort(new DrError('Cancelled', 'the asker gave up'));
  }

  abortAll(reason: DrError): void {
    for (const controller of this.#open.values()) controller.abort(reason);
  }

  async #run(frame: FrameOf<'request'>, signal: AbortSignal): Promise<void> {
    try {
      const result = await this.#answer(frame, signal);
      await this.#writer.send({ t: 'result', id: frame.id, result });
    } catch (err) {
      await this.#writer.send(errorFrame(frame.id, toDrError(err)));
    }
  }

  #answer({ method, params }: FrameOf<'request'>, signal: AbortSignal): unknown {
    const handler = isMethod(method) ? (this.#handlers[method] as AnyHandler | undefined) : undefined;
    if (!isMethod(method) || !handler) throw new DrError('BadRequest', `${method} is not answered here`);
    const parsed = methods[method].params.safeParse(params);
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code).slice(0, 5);
      throw new DrError(
        'BadRequest',
        `the parameters of ${method} are not as they should be: ${where.join(', ')}`,
      );
    }
    return handler(parsed.data, { signal });
  }
}

function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}

function errorFrame(id: number, { code, message }: DrError): Frame {
  return { t: 'error', id, error: { code, message: message.slice(0, MAX_MESSAGE) } };
}
