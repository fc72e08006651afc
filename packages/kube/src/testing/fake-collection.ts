import type { ServerResponse } from 'node:http';
import { keyOf, type KubeObject } from '../types.js';
import { type SeenRequest, sendEvents, sendJson } from './fake-server.js';

/**
 * Lists and watches of one resource type as an API server has them, with switches for what goes wrong. Enough of
 * etcd for a reflector: one revision for all, and a log of events to replay.
 */
export class FakeCollection {
  revision = 1;
  readonly objects = new Map<string, KubeObject>();
  readonly #log: { revision: number; type: string; object: KubeObject }[] = [];
  readonly #watchers = new Set<ServerResponse>();
  lists = 0;
  watches = 0;
  /** Answers a request in place of the collection when it returns true. */
  intercept: (request: SeenRequest, response: ServerResponse) => boolean = () => false;

  readonly handler = (request: SeenRequest, response: ServerResponse): void => {
    if (this.intercept(request, response)) return;
    if (request.query.has('watch')) this.#watch(request, response);
    else this.#list(request, response);
  };

  put(name: string, data: string, uid = 'uid'): void {
    this.revision += 1;
    const metadata = {
      name,
      namespace: 'shop',
      uid,
      resourceVersion: String(this.revision),
      managedFields: [{}],
    };
    const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: data } };
    const type = this.objects.has(keyOf(object)) ? 'MODIFIED' : 'ADDED';
    this.objects.set(keyOf(object), object);
    this.#emit(type, object);
  }

  delete(name: string): void {
    const object = this.objects.get(`shop/${name}`);
    if (object === undefined) return;
    this.revision += 1;
    this.objects.delete(`shop/${name}`);
    this.#emit('DELETED', {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.revision) },
    });
  }

  bookmark(): void {
    const object = {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.revision) },
    };
    for (const response of this.#watchers) sendEvents(response, { type: 'BOOKMARK', object });
  }

  /** Ends all watches as a server does at their timeout. */
  endWatches(): void {
    for (const response of this.#watchers) response.end();
    this.#watchers.clear();
  }

  /** Sends one raw line to all watches. */
  sendLine(line: string): void {
    for (const response of this.#watchers) response.write(`${line}\n`);
  }

  get openWatches(): number {
    return this.#watchers.size;
  }

  #emit(type: string, object: KubeObject): void {
    this.#log.push({ revision: this.revision, type, object });
    for (const response of this.#watchers) sendEvents(response, { type, object });
  }

  #list({ query }: SeenRequest, response: ServerResponse): void {
    const from = Number(query.get('continue') ?? 0);
    if (from === 0) this.lists += 1;
    const limit = Number(query.get('limit'));
    const items = [...this.objects.values()].slice(from, from + limit);
    const next = from + limit < this.objects.size ? String(from + limit) : undefined;
    sendJson(response, 200, { metadata: { resourceVersion: String(this.revision), continue: next }, items });
  }

  #watch({ query }: SeenRequest, response: ServerResponse): void {
    this.watches += 1;
    const from = Number(query.get('resourceVersion'));
    const missed = this.#log.filter(({ revision }) => revision > from);
    sendEvents(response, ...missed.map(({ type, object }) => ({ type, object })));
    this.#watchers.add(response);
    response.once('close', () => this.#watchers.delete(response));
  }
}
