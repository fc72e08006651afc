import type { BuiltImage } from '../images/images.js';
import type { RunOptions } from './process/run.js';

/** A node as tests reach it. */
export interface TestNode {
  readonly name: string;
  /** The address that pods of the other cluster use, too. */
  readonly address: string;
  /** Where this process finds a path of the node, with everything that is mounted there. */
  rootOf(path: string): string;
  /** Runs a command on the node, as root, in its namespaces. */
  exec(command: readonly string[], options?: RunOptions): Promise<string>;
}

/** One of the two clusters, wherever it comes from. */
export interface TestCluster {
  readonly name: string;
  readonly kubeconfigPath: string;
  readonly kubeconfig: string;
  readonly nodes: readonly TestNode[];
  /** The class whose volumes bind when a pod is scheduled. */
  readonly storageClass: string;
  /** kubectl's standard output. @throws RunError with its standard error */
  kubectl(args: readonly string[], options?: { input?: string; signal?: AbortSignal }): Promise<string>;
  /** Has an image on every node, under both of its names. */
  importImage(image: BuiltImage): Promise<void>;
}

/** What only a cluster that we run ourselves can do to itself. */
export interface LocalTestCluster extends TestCluster {
  /** One JSON object a line: every request of whoever is not part of the control plane. */
  readonly auditLogPath: string;
  /** Network namespaces of the nodes, for nsenter --net=. They change when a node is restarted. */
  readonly netns: readonly string[];
  /** Ends a program as an administrator would, and starts it again. @param node default: the first */
  restartComponent(name: ComponentName, node?: string): Promise<void>;
  /** Ends it; it stays away until startComponent. */
  stopComponent(name: ComponentName, node?: string): Promise<void>;
  /** SIGKILL. */
  killComponent(name: ComponentName, node?: string): Promise<void>;
  startComponent(name: ComponentName, node?: string): Promise<void>;
  /** Pulls the plug of a node: everything on it dies at once. */
  killNode(node?: string): Promise<void>;
  /** Starts a killed node again, and waits until it is ready. */
  startNode(node?: string): Promise<void>;
  /** More volumes for a test. @param size nominal @returns their names */
  addVolumes(
    count: number,
    options?: { node?: string; size?: string; limitBytes?: number },
  ): Promise<string[]>;
}

export type ComponentName =
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'containerd'
  | 'kubelet'
  | 'kube-proxy';

export interface TestClusters<C extends TestCluster = TestCluster> {
  readonly source: C;
  readonly remote: C;
}
