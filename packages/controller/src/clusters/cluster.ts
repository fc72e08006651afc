import { type ClusterAccess, Discovery, KubeClient, type RequestSample } from '@dr-syncer/kube';

/** One API server with what is needed to work with it. Closed by whoever made it. */
export class Cluster {
  readonly client: KubeClient;
  readonly discovery: Discovery;

  constructor(access: ClusterAccess, onRequest?: (sample: RequestSample) => void) {
    this.client = new KubeClient(access, { userAgent: 'dr-syncer', ...(onRequest && { onRequest }) });
    this.discovery = new Discovery(this.client);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
