import { type KubeClient, type KubeObject, Reflector, wellKnown } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

export interface SecretWatchesOptions {
  /** For these watches alone: there can be hundreds. */
  readonly client: KubeClient;
  /** A Secret that this RemoteCluster uses is new, changed or gone. */
  readonly onChange: (key: string) => void;
  /** Watches at a time; Secrets beyond that are looked at when their RemoteCluster is. Default 1000. */
  readonly max?: number;
  readonly logger: Pick<Logger, 'warn'>;
}

interface Watch {
  readonly users: Set<string>;
  readonly reflector: Reflector;
}

/** Nothing of a Secret is kept but that it is there: its content has no business in a mirror. */
function nameOnly({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    ...{ apiVersion, kind },
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
  };
}

/**
 * Follows the Secrets that RemoteClusters name, one watch for each, as kubelets do: no other Secret of a namespace ever
 * comes to this process, and an account that may read just these is enough.
 */
export class SecretWatches {
  readonly #options: SecretWatchesOptions;
  /** By `namespace/name`. */
  readonly #watches = new Map<string, Watch>();
  readonly #names = new Map<string, string>();
  #signal: AbortSignal | undefined;

  constructor(options: SecretWatchesOptions) {
    this.#options = options;
  }

  start(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /** The RemoteCluster uses this Secret from now on, and no other. */
  follow(key: string, { namespace, name }: { namespace: string; name: string }): void {
    const wanted = `${namespace}/${name}`;
    if (this.#names.get(key) === wanted) return;
    this.forget(key);
    const { max = 1000, logger } = this.#options;
    const known = this.#watches.get(wanted);
    if (known === undefined && this.#watches.size >= max) {
      logger.warn('too many Secrets to watch, changes of this one are noticed later', {
        secret: wanted,
        max,
      });
      return;
    }
    this.#names.set(key, wanted);
    if (known === undefined) this.#watches.set(wanted, this.#open(wanted, { namespace, name }, key));
    else known.users.add(key);
  }

  forget(key: string): void {
    const wanted = this.#names.get(key);
    if (wanted === undefined) return;
    this.#names.delete(key);
    const watch = this.#watches.get(wanted);
    watch?.users.delete(key);
    if (watch?.users.size !== 0) return;
    this.#watches.delete(wanted);
    void watch.reflector.close();
  }

  async close(): Promise<void> {
    const all = [...this.#watches.values()];
    this.#watches.clear();
    this.#names.clear();
    await Promise.all(all.map(({ reflector }) => reflector.close()));
  }

  #open(secret: string, { namespace, name }: { namespace: string; name: string }, key: string): Watch {
    const { client, onChange, logger } = this.#options;
    const users = new Set([key]);
    const reflector = new Reflector({
      ...{ client, namespace, resource: wellKnown.secrets, fieldSelector: `metadata.name=${name}` },
      transform: nameOnly,
      pageSize: 10,
      onError: (err) => logger.warn('watch of a kubeconfig Secret is behind', { secret, err }),
    });
    const changed = () => {
      for (const user of users) onChange(user);
    };
    reflector.subscribe({ added: changed, updated: changed, deleted: changed });
    if (this.#signal !== undefined) reflector.start(this.#signal);
    return { users, reflector };
  }
}
