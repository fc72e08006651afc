import type { RemoteCluster } from '@dr-syncer/api';
import type { ControllerConfig } from '@dr-syncer/controller';
import type { ClusterAccess, KubeClient, KubeObject } from '@dr-syncer/kube';

import type { Finding } from './problems.js';

/** A RemoteCluster as far as this person gets to see it. */
export interface RemoteUnderTest {
  /** `namespace/name`. */
  readonly key: string;
  readonly remote: RemoteCluster;
  /** Absent: there are no credentials that could be used, and `problems` says why. */
  readonly client?: KubeClient;
  readonly access?: ClusterAccess;
}

/** What checks look at. */
export interface DoctorContext {
  readonly client: KubeClient;
  readonly remotes: readonly RemoteUnderTest[];
  readonly replications: readonly KubeObject[];
  /** Settings of the controller, its defaults where they are not known. */
  readonly config: ControllerConfig;
  readonly clientVersion: string;
  readonly signal: AbortSignal;
}

/** Looks at one thing. May throw: what is thrown is reported as not seen. */
export type Check = (context: DoctorContext) => Promise<readonly Finding[]>;
