import type { Duplex } from 'node:stream';

import type { ClusterAccess } from './cluster-access.js';
import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  GetOptions,
  KubeClientOptions,
  ListOptions,
  ListPage,
  ObjectList,
  PatchType,
  RawOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client-types.js';
import { isNotFound, KubeError } from './kube-error.js';
import { listPages } from './list-pages.js';
import {
  collectionOperation,
  collectionPath,
  objectOperation,
  objectPath,
  type Query,
  withQuery,
} from './paths.js';
import { type PodCommand, podExec, type PodExec } from './pod-exec.js';
import { type PodPort, portForward } from './port-forward.js';
import { Requester } from './requester.js';
import { describeOperation, isRecord, type Operation } from './status-response.js';
import { groupVersionOf, type KubeObject, type ObjectRef, refOf, type Resource } from './types.js';
import { watchEvents } from './watch-stream.js';

const JSON_TYPE = 'application/json';
const DEFAULT_PAGE = 500;
const DEFAULT_LIST_TIMEOUT_MS = 60_000;
const DEFAULT_IDLE_MS = 150_000;

const patchTypes = {
  merge: { contentType: 'application/merge-patch+json', idempotent: true },
  // Adds to lists again when repeated.
  json: { contentType: 'application/json-patch+json', idempotent: false },
  strategic: { contentType: 'application/strategic-merge-patch+json', idempotent: false },
} as const satisfies Record<PatchType, { contentType: string; idempotent: boolean }>;

interface Write {
  readonly method: string;
  readonly body: unknown;
  readonly contentType?: string;
  readonly idempotent: boolean;
  readonly query?: Query;
}

/**
 * A client for one API server: JSON in, the same JSON out, with no field lost to a model. Every method throws
 * `KubeError`; waiting ends with the signal given. Closed by whoever made it.
 */
export class KubeClient {
  readonly #access: ClusterAccess;
  readonly #requester: Requester;
  readonly #listTimeoutMs: number;

  constructor(access: ClusterAccess, options: KubeClientOptions = {}) {
    this.#access = access;
    this.#requester = new Requester(access, options);
    this.#listTimeoutMs = options.listTimeoutMs ?? DEFAULT_LIST_TIMEOUT_MS;
  }

  async get<T extends KubeObject = KubeObject>(ref: ObjectRef, options: GetOptions = {}): Promise<T> {
    const operation = objectOperation('get', ref);
    const path = objectPath(ref, options.subresource);
    const call = { operation, method: 'GET', path, accept: JSON_TYPE, idempotent: true };
    return asObject(operation, await this.#requester.send(call, options)) as T;
  }

  /** As `get`, with `undefined` for an object that is not there. */
  async find<T extends KubeObject = KubeObject>(
    ref: ObjectRef,
    options: GetOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get<T>(ref, options);
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  /** Pages of one consistent list; a page with `restarted` makes the earlier ones void. */
  pages<T extends KubeObject = KubeObject>(
    resource: Resource,
    options: ListOptions = {},
  ): AsyncGenerator<ListPage<T>, void, void> {
    const { namespace, labelSelector, fieldSelector, limit = DEFAULT_PAGE, signal } = options;
    const operation = collectionOperation('list', resource, namespace);
    const base = collectionPath(resource, namespace);
    return listPages<T>(operation, resource, limit, (page) => {
      const path = withQuery(base, { labelSelector, fieldSelector, ...page });
      const call = { operation, method: 'GET', path, accept: JSON_TYPE, compressed: true, idempotent: true };
      return this.#requester.send(call, { signal, timeoutMs: options.timeoutMs ?? this.#listTimeoutMs });
    });
  }

  /** The whole list in memory. */
  async list<T extends KubeObject = KubeObject>(
    resource: Resource,
    options: ListOptions = {},
  ): Promise<ObjectList<T>> {
    let items: T[] = [];
    let resourceVersion = '';
    for await (const page of this.pages<T>(resource, options)) {
      if (page.restarted) items = [];
      for (const item of page.items) items.push(item);
      ({ resourceVersion } = page);
    }
    return { items, resourceVersion };
  }

  /** POST to the collection, or to a subresource of the object (`token`, `eviction`). Never repeated when in doubt. */
  async create<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, generateName = '' } = object.metadata;
    // The type says that a name is there, which holds for what a server returns; here it may be left to the server.
    const name = (object.metadata as { name?: string }).name ?? generateName;
    const ref = resource.namespaced ? { resource, namespace, name } : { resource, name };
    const path =
      options.subresource === undefined
        ? collectionPath(resource, ref.namespace)
        : objectPath(ref, options.subresource);
    const write = { method: 'POST', body: object, idempotent: false };
    return this.#write<T>(objectOperation('create', ref), path, write, options);
  }

  /** PUT. With `metadata.resourceVersion` it is a compare-and-swap and fails with a conflict when that is not current. */
  async replace<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const ref = refOf(resource, object);
    const path = objectPath(ref, options.subresource);
    return this.#write<T>(
      objectOperation('update', ref),
      path,
      { method: 'PUT', body: object, idempotent: true },
      options,
    );
  }

  /**
   * Server-side apply: creates the object or makes its fields as given; fields that this manager applied before and
   * leaves out now are removed. `apiVersion` and `kind` are those of `resource`. `metadata.managedFields` must be
   * absent. The body is JSON, which is YAML.
   */
  async apply<T extends KubeObject = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: ApplyOptions,
  ): Promise<T> {
    const ref = refOf(resource, object);
    const write = {
      method: 'PATCH',
      body: { ...object, apiVersion: groupVersionOf(resource), kind: resource.kind },
      contentType: 'application/apply-patch+yaml',
      idempotent: true,
      query: { force: options.force },
    };
    return this.#write<T>(
      objectOperation('apply', ref),
      objectPath(ref, options.subresource),
      write,
      options,
    );
  }

  async patch<T extends KubeObject = KubeObject>(
    ref: ObjectRef,
    body: unknown,
    type: PatchType,
    options: WriteOptions = {},
  ): Promise<T> {
    const write = { method: 'PATCH', body, ...patchTypes[type] };
    return this.#write<T>(
      objectOperation('patch', ref),
      objectPath(ref, options.subresource),
      write,
      options,
    );
  }

  /** The object as it is being deleted, or the server's `Status` when it is gone already. */
  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<KubeObject> {
    const { preconditions, propagationPolicy, gracePeriodSeconds, dryRun } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      propagationPolicy,
      gracePeriodSeconds,
      dryRun: dryRun === true ? ['All'] : undefined,
    };
    const operation = objectOperation('delete', ref);
    const call = {
      ...{ operation, method: 'DELETE', path: objectPath(ref), accept: JSON_TYPE, contentType: JSON_TYPE },
      ...{ body: JSON.stringify(body), idempotent: true },
    };
    return asObject(operation, await this.#requester.send(call, options));
  }

  /**
   * One watch connection until the server ends it, with bookmarks. Following a resource over many of them is the
   * `Reflector`'s work.
   */
  async *watch<T extends KubeObject = KubeObject>(
    resource: Resource,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    const {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds = 290,
      signal,
    } = options;
    const operation = collectionOperation('watch', resource, namespace);
    const path = withQuery(collectionPath(resource, namespace), {
      ...{ watch: 1, allowWatchBookmarks: true, timeoutSeconds: Math.round(timeoutSeconds) },
      ...{ resourceVersion, labelSelector, fieldSelector },
    });
    const call = { operation, method: 'GET', path, accept: JSON_TYPE, signal, idempotent: true };
    const { body } = await this.#requester.open(call, options.idleTimeoutMs ?? DEFAULT_IDLE_MS);
    yield* watchEvents<T>(operation, body);
  }

  /** Any other call, `/version` for example. The parsed JSON of the response, or its text. */
  async raw(method: string, path: string, options: RawOptions = {}): Promise<unknown> {
    const operation = { verb: method.toLowerCase(), resource: 'raw', target: path };
    const call = {
      ...{
        operation,
        method,
        path: withQuery(path, options.query ?? {}),
        accept: options.accept ?? JSON_TYPE,
      },
      ...(options.body === undefined
        ? {}
        : { body: JSON.stringify(options.body), contentType: options.contentType ?? JSON_TYPE }),
      idempotent: method === 'GET' || method === 'PUT' || method === 'DELETE',
    };
    return this.#requester.send(call, options);
  }

  /** What the server calls itself, for example `{gitVersion: 'v1.34.1', major: '1', minor: '34'}`. */
  async version(options: CallOptions = {}): Promise<ServerVersion> {
    const body = await this.raw('GET', '/version', options);
    const { gitVersion, major, minor } = isRecord(body) ? body : {};
    if (typeof gitVersion !== 'string' || typeof major !== 'string' || typeof minor !== 'string') {
      throw new KubeError('get raw /version: the response is no version', {
        status: 0,
        reason: 'BadResponse',
      });
    }
    return { gitVersion: gitVersion.slice(0, 64), major, minor };
  }

  /**
   * A byte stream to a port of a pod: see `portForward`. It is the caller's to end, also when the client is closed.
   */
  portForward(target: PodPort, options: CallOptions = {}): Promise<Duplex> {
    return portForward(this.#access, target, options);
  }

  /** A command in a container: see `podExec`. It is the caller's to close, also when the client is closed. */
  exec(target: PodCommand, options: CallOptions = {}): Promise<PodExec> {
    return podExec(this.#access, target, options);
  }

  get openWatches(): number {
    return this.#requester.transport.openStreams;
  }

  /** Ends all connections; calls in flight fail with ConnectionReset. */
  async close(): Promise<void> {
    await this.#requester.transport.close();
  }

  async #write<T extends KubeObject>(
    operation: Operation,
    path: string,
    write: Write,
    options: WriteOptions,
  ): Promise<T> {
    const query = {
      ...write.query,
      fieldManager: options.fieldManager,
      dryRun: options.dryRun === true ? 'All' : undefined,
    };
    const call = {
      ...{ operation, method: write.method, path: withQuery(path, query), accept: JSON_TYPE },
      ...{
        contentType: write.contentType ?? JSON_TYPE,
        body: JSON.stringify(write.body),
        idempotent: write.idempotent,
      },
    };
    return asObject(operation, await this.#requester.send(call, options)) as T;
  }
}

export interface ServerVersion {
  readonly gitVersion: string;
  readonly major: string;
  readonly minor: string;
}

function asObject(operation: Operation, body: unknown): KubeObject {
  if (isRecord(body) && typeof body['kind'] === 'string' && isRecord(body['metadata']))
    return body as unknown as KubeObject;
  throw new KubeError(`${describeOperation(operation)}: the response is no object`, {
    status: 0,
    reason: 'BadResponse',
  });
}
