import { DemoFailure } from './failure.js';

export interface Settings {
  readonly sourceKubeconfig: string;
  readonly remoteKubeconfig: string;
  readonly image: string;
  /** Images of dr-syncer itself, in place of those that the manifests name. */
  readonly controllerImage: string;
  readonly agentImage: string;
  /** Storage class of the volume, and the one that it becomes in the remote. */
  readonly sourceStorageClass: string;
  readonly remoteStorageClass: string;
  /** MiB of data in the volume. */
  readonly sizeMb: number;
  /** Directory with `source` and `remote` to install with `kubectl apply -k`. */
  readonly manifests: string;
}

/** As manifests/source has them. */
export const MANIFEST_IMAGES = {
  controller: 'localhost/dr-syncer-controller:dev',
  agent: 'localhost/dr-syncer-agent:dev',
} as const;

/** Settings from the environment. Throws DemoFailure that names the variable. */
export function readSettings(env: NodeJS.ProcessEnv, manifests: string): Settings {
  return {
    sourceKubeconfig: required(env, 'SOURCE_KUBECONFIG'),
    remoteKubeconfig: required(env, 'REMOTE_KUBECONFIG'),
    controllerImage: env['CONTROLLER_IMAGE'] ?? MANIFEST_IMAGES.controller,
    agentImage: env['AGENT_IMAGE'] ?? MANIFEST_IMAGES.agent,
    image: env['DEMO_IMAGE'] ?? 'localhost/dr-syncer-demo:dev',
    sourceStorageClass: env['SOURCE_STORAGE_CLASS'] ?? 'fast',
    remoteStorageClass: env['REMOTE_STORAGE_CLASS'] ?? 'standard-dr',
    sizeMb: size(env['DEMO_SIZE_MB'] ?? '300'),
    manifests,
  };
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') {
    throw new DemoFailure(`${name} is not set: it names the kubeconfig file of that cluster`);
  }
  return value;
}

function size(text: string): number {
  const value = Number(text);
  // Below that there is nothing to see, above it does not fit into the claim.
  if (!Number.isInteger(value) || value < 20 || value > 900) {
    throw new DemoFailure(`DEMO_SIZE_MB is "${text}": it must be a whole number from 20 to 900`);
  }
  return value;
}
