import { type ClusterAccess, Discovery, KubeClient, type RequestSample } from '@dr-syncer/kube';

/** A Replication in mode Continuous watches each type that it copies, some seventy without custom resources. */
const MAX_WATCHES = 4096;

/** One API server with what is needed to work with it. Closed by whoever made it. */
export class Cluster {
  readonly client: KubeClient;
  readonly discovery: Discovery;

  constructor(access: ClusterAccess, onRequest?: (sample: RequestSample) => void) {
    const options = { userAgent: 'dr-syncer', maxWatches: MAX_WATCHES, ...(onRequest && { onRequest }) };
    this.client = new KubeClient(access, options);
    this.discovery = new Discovery(this.client);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** What most parts need of a cluster. */
export type ClusterView = Pick<Cluster, 'client' | 'discovery'>;
