import { DrError } from '@dr-syncer/api';
import {
  type KubeClient,
  KubeError,
  type KubeObject,
  kubeToDrError,
  linkedController,
  type ReadStore,
  Reflector,
  type ReflectorHandler,
  type Resource,
  resourceName,
  Store,
  type Transform,
  untilAborted,
} from '@dr-syncer/kube';

/** The objects of one type in one namespace, as they are at a moment or as they go on being. */
export interface View<T extends KubeObject> {
  readonly store: ReadStore<T>;
  /** The state of the server that the store of a mirror shows; of a list that stays as it is: `undefined`. */
  version(): string | undefined;
  /**
   * Resolves when the store has had a complete list. Rejects when the type can't be listed; a view that is kept up to
   * date goes on trying.
   *
   * @throws DrError
   */
  ready(signal: AbortSignal): Promise<void>;
  /** As `ready`, but never gives up; rejects only when closed. */
  readonly synced: Promise<void>;
  close(): void;
}

export type MakeTransform<T> = (resource: Resource, namespace: string) => Transform<T>;

export interface ViewsOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly transform: MakeTransform<T>;
  readonly onError: (resource: Resource, err: DrError) => void;
  /** A complete list this often besides the watch, in ms. */
  readonly relistMs?: number;
}

/** A list that can't be made in this time is reported; the reflector goes on trying. */
const FIRST_ERROR_GRACE_MS = 5_000;

interface Shared<T extends KubeObject> {
  readonly reflector: Reflector<T>;
  readonly failed: Failures;
  users: number;
}

/**
 * Views of one cluster. Those that are kept up to date are shared: one reflector for each type and namespace, begun by
 * the first user and ended with the last.
 */
export class Views<T extends KubeObject> {
  readonly #options: ViewsOptions<T>;
  readonly #shared = new Map<string, Shared<T>>();

  constructor(options: ViewsOptions<T>) {
    this.#options = options;
  }

  /** A list, made now; it stays as it is. */
  listed(resource: Resource, namespace: string, signal: AbortSignal): View<T> {
    const { client } = this.#options;
    const store = new Store<T>();
    const linked = linkedController(signal);
    const { controller } = linked;
    const transform = this.#options.transform(resource, namespace);
    const done = fill(store, client, resource, namespace, transform, controller.signal).finally(() =>
      linked.unlink(),
    );
    // Whoever waits for it sees the rejection.
    done.catch(() => undefined);
    return {
      store,
      version: () => undefined,
      ready: (waiting) => untilAborted(done, waiting),
      synced: done,
      close: () => controller.abort(),
    };
  }

  /** A mirror; the handler is told of everything, of what is there already at once. */
  watched(resource: Resource, namespace: string, handler: ReflectorHandler<T>): View<T> {
    const key = `${resource.group}/${resource.version}/${resource.plural}/${namespace}`;
    const shared = this.#shared.get(key) ?? this.#begin(key, resource, namespace);
    shared.users += 1;
    const unsubscribe = shared.reflector.subscribe(handler);
    let closed = false;
    return {
      store: shared.reflector.store,
      version: () => shared.reflector.resourceVersion,
      ready: (signal) => untilAborted(Promise.race([shared.reflector.synced, shared.failed.first]), signal),
      synced: shared.reflector.synced,
      close: () => {
        if (closed) return;
        closed = true;
        unsubscribe();
        shared.users -= 1;
        if (shared.users > 0) return;
        this.#shared.delete(key);
        shared.failed.close();
        void shared.reflector.close();
      },
    };
  }

  /** An object as a view would keep it. */
  entry(resource: Resource, namespace: string, object: KubeObject): T {
    const entry = this.#options.transform(resource, namespace)(object);
    if (entry === undefined) throw new TypeError('this view leaves the object out');
    return entry;
  }

  /** Reflectors that run. */
  get size(): number {
    return this.#shared.size;
  }

  #begin(key: string, resource: Resource, namespace: string): Shared<T> {
    const { client, transform, onError, relistMs } = this.#options;
    const failed = new Failures();
    const reflector = new Reflector<T>({
      ...{ client, resource, namespace, transform: transform(resource, namespace) },
      ...(relistMs === undefined ? {} : { relistMs }),
      onError: (err) => {
        failed.report(err);
        onError(resource, err);
      },
    });
    reflector.start(new AbortController().signal);
    const shared = { reflector, failed, users: 0 };
    this.#shared.set(key, shared);
    return shared;
  }
}

/** The first failure that does not pass within a moment, as a rejection. */
class Failures {
  readonly first: Promise<never>;
  readonly #begun = performance.now();
  #reject: (err: DrError) => void = () => undefined;

  constructor() {
    this.first = new Promise<never>((_resolve, reject) => {
      this.#reject = reject;
    });
    this.first.catch(() => undefined);
  }

  report(err: DrError): void {
    if (err.kind === 'retry' && performance.now() - this.#begun < FIRST_ERROR_GRACE_MS) return;
    this.#reject(err);
  }

  close(): void {
    this.#reject(new DrError('Cancelled', 'the mirror was closed'));
  }
}

async function fill<T extends KubeObject>(
  store: Store<T>,
  client: KubeClient,
  resource: Resource,
  namespace: string,
  transform: Transform<T>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const page of client.pages(resource, { namespace, signal })) {
      if (page.restarted) for (const key of [...store.keys()]) store.delete(key);
      for (const object of page.items) {
        const entry = transform(object);
        if (entry !== undefined) store.set(entry);
      }
    }
  } catch (err) {
    // Served by discovery, but not by the server behind it, or not listable after all: there is nothing.
    if (err instanceof KubeError && err.status === 405) return;
    const problem = kubeToDrError(err);
    if (problem.code !== 'ObjectNotFound') throw problem;
    throw new DrError('TypeNotServed', `the cluster does not serve ${resourceName(resource)} any more`);
  }
}
