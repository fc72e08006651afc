import { homedir } from 'node:os';
import { join } from 'node:path';

/** Everything about the test clusters that a user can choose through the environment. */
export interface Settings {
  /** Where the local clusters keep certificates, data and logs. Removed by `down`. */
  readonly stateDir: string;
  /** Built binaries and base images; outlives checkouts and clusters. */
  readonly cacheDir: string;
  readonly sourceKubeconfig: string | undefined;
  readonly remoteKubeconfig: string | undefined;
  /** Nodes per local cluster; undefined: what runs already, else one. */
  readonly sourceNodes: number | undefined;
  readonly remoteNodes: number | undefined;
  /** Second octet of the local clusters' addresses, 99 or 1 to 95; one of its own keeps two checkouts apart. */
  readonly network: number;
  /** The environment that child processes inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The one place of the test tooling that reads the environment. */
export function readSettings(env: Readonly<Record<string, string | undefined>> = environment()): Settings {
  const cacheHome = env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return {
    stateDir: env['DR_SYNCER_CLUSTERS_DIR'] ?? '/var/lib/dr-syncer-clusters',
    cacheDir: env['DR_SYNCER_CACHE'] ?? join(cacheHome, 'dr-syncer'),
    sourceKubeconfig: env['SOURCE_KUBECONFIG'],
    remoteKubeconfig: env['REMOTE_KUBECONFIG'],
    sourceNodes: wholeNumber(env['DR_SYNCER_SOURCE_NODES'], 1, 8),
    remoteNodes: wholeNumber(env['DR_SYNCER_REMOTE_NODES'], 1, 8),
    // 10.96 and 10.97 are the clusters' Services; more digits would not fit into a name of an interface.
    network: wholeNumber(env['DR_SYNCER_CLUSTERS_NETWORK'], 1, 95) ?? 99,
    env,
  };
}

function environment(): Readonly<Record<string, string | undefined>> {
  // eslint-disable-next-line no-restricted-properties -- this is the composition root's read
  return process.env;
}

function wholeNumber(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${text}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}
