import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { annotation, type VolumeStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { KubeClient, type KubeObject, parseKubeconfig } from '@dr-syncer/kube';

import { SYSTEM_NAMESPACE } from '../../demo/standby.js';
import type { SyncedStatus } from '../../e2e/support/replication.js';

const POLL_MS = 100;
const SYNC_MS = 420_000;

export interface SyncTimes {
  readonly seconds: number;
  readonly firstByteSeconds: number;
}

/**
 * Asks for syncs of a Replication and times them. Over a connection that stays: a kubectl for each look took a quarter of
 * two cores from what was to be measured.
 */
export class SyncTimer {
  readonly #client: KubeClient;
  readonly #name: string;
  #request = 0;

  private constructor(client: KubeClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  static async connect(kubeconfig: string, name: string): Promise<SyncTimer> {
    return new SyncTimer(new KubeClient(parseKubeconfig(await readFile(kubeconfig, 'utf8'))), name);
  }

  /**
   * From the request to the state that it was answered with, and to the first byte; both by the controller's clock, which
   * is this one's.
   *
   * @throws Error with the status when the sync did not complete
   */
  async time(): Promise<SyncTimes> {
    this.#request += 1;
    const request = `bench-${process.pid}-${this.#request}`;
    const ref = { resource: replications, namespace: SYSTEM_NAMESPACE, name: this.#name };
    const began = Date.now();
    await this.#client.patch(ref, { metadata: { annotations: { [annotation.syncNow]: request } } }, 'merge');
    while (Date.now() - began < SYNC_MS) {
      await sleep(POLL_MS);
      const { status } = await this.#client.get<KubeObject & { status?: SyncedStatus<VolumeStatus> }>(ref);
      if (status?.lastSyncRequest !== request || status.phase === 'Running') continue;
      if (status.phase !== 'Completed') throw new Error(`the sync failed: ${JSON.stringify(status)}`);
      const [volume] = status.volumes;
      const until = (time: string | undefined) => (Date.parse(time ?? '') - began) / 1000;
      return { seconds: until(status.lastSyncTime), firstByteSeconds: until(volume?.firstByteAt) };
    }
    throw new Error(`request ${request} was not answered within ${SYNC_MS / 1000} s`);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
