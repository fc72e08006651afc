import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { KubeClient, type KubeObject, parseKubeconfig, type Resource } from '@dr-syncer/kube';

import { wordsOf } from './words.js';

const POD_POLL_MS = 1_000;
const PROCESS_POLL_MS = 300;
const AGAIN_MS = 2_000;

/** What can hold words of DR-Syncer or of its tests. */
const watched: readonly Resource[] = [
  ...['events', 'configmaps', 'pods', 'namespaces', 'serviceaccounts'].map((plural) => core(plural)),
  { ...core('daemonsets'), group: 'apps' },
  { ...core('deployments'), group: 'apps' },
  { ...core('leases'), group: 'coordination.k8s.io' },
  ...['remoteclusters', 'replications'].map((plural) => ({
    ...core(plural),
    ...{ group: 'dr-syncer.io', version: 'v1alpha1' },
  })),
];

function core(plural: string): Resource {
  return { group: '', version: 'v1', plural, kind: plural, namespaced: true };
}

export interface Sink {
  /** Something that people other than the owners of Secrets can read. */
  readonly seen: (where: string, text: string) => void;
  /** Something that they must not. */
  readonly secret: (word: string) => void;
}

interface PodObject extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly state: Readonly<Record<string, unknown>>;
    }[];
  };
}

/** Follows one cluster until it is stopped: Secrets, what other objects say, and what our pods log. */
export class ClusterWatch {
  readonly #name: string;
  readonly #kubeconfig: string;
  readonly #sink: Sink;
  readonly #signal: AbortSignal;
  readonly #logs = new Map<string, Promise<void>>();

  constructor(name: string, kubeconfig: string, sink: Sink, signal: AbortSignal) {
    this.#name = name;
    this.#kubeconfig = kubeconfig;
    this.#sink = sink;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const client = new KubeClient(parseKubeconfig(await readFile(this.#kubeconfig, 'utf8')));
    try {
      await Promise.all([
        this.#follow(client, core('secrets'), (secret) => {
          for (const word of wordsOf(secret)) this.#sink.secret(word);
        }),
        ...watched.map((resource) =>
          this.#follow(client, resource, (object) =>
            this.#sink.seen(`${this.#name} ${resource.plural}`, JSON.stringify(object)),
          ),
        ),
        this.#followPods(client),
      ]);
      await Promise.all(this.#logs.values());
    } finally {
      await client.close();
    }
  }

  async #follow(client: KubeClient, resource: Resource, take: (object: KubeObject) => void): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        // Without a version the present state comes first.
        for await (const { type, object } of client.watch(resource, { signal: this.#signal })) {
          if (type !== 'BOOKMARK') take(object);
        }
      } catch {
        // The kind may not be there yet, or the API server may be down for a test.
        await sleep(AGAIN_MS, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
  }

  async #followPods(client: KubeClient): Promise<void> {
    const at = { namespace: SYSTEM_NAMESPACE, signal: this.#signal };
    while (!this.#signal.aborted) {
      try {
        for (const pod of (await client.list<PodObject>(core('pods'), at)).items) this.#followLogs(pod);
      } catch {
        // As above.
      }
      await sleep(POD_POLL_MS, undefined, { signal: this.#signal }).catch(() => undefined);
    }
  }

  #followLogs({ metadata, status }: PodObject): void {
    for (const { name, restartCount, state } of status?.containerStatuses ?? []) {
      const key = `${metadata.uid ?? ''}/${name}/${restartCount}`;
      if (state['waiting'] !== undefined || this.#logs.has(key)) continue;
      this.#logs.set(key, this.#logsOf(metadata.name, name));
    }
  }

  async #logsOf(pod: string, container: string): Promise<void> {
    const args = ['logs', '-f', '-n', SYSTEM_NAMESPACE, pod, '-c', container];
    const child = spawn('kubectl', ['--kubeconfig', this.#kubeconfig, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const stop = () => child.kill();
    this.#signal.addEventListener('abort', stop, { once: true });
    const where = `${this.#name} log of ${pod}/${container}`;
    for await (const line of createInterface({ input: child.stdout })) this.#sink.seen(where, line);
    this.#signal.removeEventListener('abort', stop);
  }
}

/** The command lines of this machine's processes, which on the clusters of `make test` are those of all pods too. */
export async function watchProcesses(sink: Sink, signal: AbortSignal): Promise<void> {
  const known = new Set<string>();
  while (!signal.aborted) {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (text === '' || known.has(text)) continue;
      known.add(text);
      sink.seen('arguments of a process', text.replaceAll('\0', ' '));
    }
    await sleep(PROCESS_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
