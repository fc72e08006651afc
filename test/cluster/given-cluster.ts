import { readFile } from 'node:fs/promises';
import type { BuiltImage } from '../images/images.js';
import { run } from './process/run.js';
import type { TestCluster } from './test-cluster.js';

interface GivenOptions {
  readonly name: string;
  readonly kubeconfigPath: string;
  readonly storageClass: string;
  readonly kubectl: string;
  /** Brings an image to the nodes. Undefined: they can pull what they need. */
  readonly load?: (image: BuiltImage) => Promise<void>;
  /** Runs on a node; undefined: nobody can from here. */
  readonly exec?: (node: string, command: readonly string[]) => Promise<string>;
}

/** A cluster that somebody else runs: all we do is talk to its API server. */
export async function givenCluster(options: GivenOptions): Promise<TestCluster> {
  const { name, kubeconfigPath } = options;
  const kubectl = async (
    args: readonly string[],
    more: { input?: string; signal?: AbortSignal } = {},
  ): Promise<string> => {
    const { stdout } = await run(options.kubectl, [`--kubeconfig=${kubeconfigPath}`, ...args], more);
    return stdout;
  };
  const path =
    '{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}';
  const lines = (await kubectl(['get', 'nodes', '-o', `jsonpath=${path}`])).trim().split('\n');
  const unable = (): never => {
    throw new Error(`nodes of ${name} can't be reached from here`);
  };
  return {
    name,
    kubeconfigPath,
    kubeconfig: await readFile(kubeconfigPath, 'utf8'),
    storageClass: options.storageClass,
    nodes: lines.map((line) => {
      const [node = '', address = ''] = line.split(' ');
      return {
        name: node,
        address,
        rootOf: unable,
        exec: (command) => options.exec?.(node, command) ?? unable(),
      };
    }),
    kubectl,
    importImage: async (image) => {
      await options.load?.(image);
    },
  };
}
