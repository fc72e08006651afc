import type { Cluster } from '@dr-syncer/controller';
import { KubeError } from '@dr-syncer/kube';

export type Fault =
  | 'lost request'
  /** Done, but nobody hears of it. */
  | 'lost answer'
  | 'unavailable'
  | 'busy'
  | 'slow';

/** What goes wrong between a client and its server, as long as it is switched on. */
export interface Faults {
  /** Of the next writes, again and again from the start; undefined: all goes well. */
  writes: readonly (Fault | undefined)[];
  /** Watches break off with this error. */
  breakWatches(expired: boolean): void;
  /** Names of what was deleted. */
  readonly deleted: string[];
}

const errors: Readonly<Record<Exclude<Fault, 'slow'>, () => KubeError>> = {
  'lost request': () => new KubeError('lost', { status: 0, reason: 'ConnectionReset' }),
  'lost answer': () => new KubeError('lost', { status: 0, reason: 'ConnectionReset' }),
  unavailable: () => new KubeError('unavailable', { status: 503, reason: 'ServiceUnavailable' }),
  busy: () => new KubeError('busy', { status: 429, reason: 'TooManyRequests', retryAfterSeconds: 0.02 }),
};

/** Puts itself between the client of the cluster and whoever uses it. */
export function withFaults({ client }: Cluster): Faults {
  let count = 0;
  const breaks = new Set<(expired: boolean) => void>();
  const faults: Faults = {
    writes: [],
    breakWatches: (expired) => {
      for (const one of breaks) one(expired);
    },
    deleted: [],
  };
  const faulty = async <T>(send: () => Promise<T>): Promise<T> => {
    const fault = faults.writes[count++ % Math.max(1, faults.writes.length)];
    if (fault === undefined) return send();
    if (fault === 'slow') {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return send();
    }
    if (fault === 'lost answer') await send();
    throw errors[fault]();
  };
  const {
    apply,
    patch,
    delete: remove,
    watch,
  } = {
    apply: client.apply.bind(client),
    patch: client.patch.bind(client),
    delete: client.delete.bind(client),
    watch: client.watch.bind(client),
  };
  client.apply = (...args) => faulty(() => apply(...args)) as never;
  client.patch = (...args) => faulty(() => patch(...args)) as never;
  client.delete = (...args) =>
    faulty(() => {
      faults.deleted.push(args[0].name);
      return remove(...args);
    });
  client.watch = (resource, options) =>
    brokenAtTimes(breaks, options?.signal, (signal) => watch(resource, { ...options, signal })) as never;
  return faults;
}

async function* brokenAtTimes<T>(
  breaks: Set<(expired: boolean) => void>,
  outer: AbortSignal | undefined,
  watch: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const controller = new AbortController();
  let broken: KubeError | undefined;
  const stop = (expired: boolean): void => {
    broken = expired
      ? new KubeError('expired', { status: 410, reason: 'Expired' })
      : new KubeError('reset', { status: 0, reason: 'ConnectionReset' });
    controller.abort(broken);
  };
  const abort = (): void => controller.abort();
  outer?.addEventListener('abort', abort, { once: true });
  breaks.add(stop);
  try {
    for await (const event of watch(controller.signal)) yield event;
  } catch (err) {
    throw broken ?? err;
  } finally {
    breaks.delete(stop);
    outer?.removeEventListener('abort', abort);
  }
}
