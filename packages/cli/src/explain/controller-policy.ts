import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type ControllerConfig, type MoverPolicy, moverPolicyOf, readConfig } from '@dr-syncer/controller';
import { type KubeClient, type KubeObject, kubeToDrError } from '@dr-syncer/kube';

import type { Surroundings } from '../surroundings.js';

const deployments = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};
const CONTROLLER = 'dr-syncer-controller';

interface Deployment extends KubeObject {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly { readonly env?: readonly { name: string; value?: string }[] }[];
      };
    };
  };
}

/**
 * What the settings of the controller say about movers: from its Deployment, else the defaults, and the person is told
 * so.
 */
export async function controllerPolicy(
  around: Surroundings,
  client: Pick<KubeClient, 'get'>,
  signal: AbortSignal,
): Promise<MoverPolicy> {
  return moverPolicyOf(await controllerSettings(around, client, signal));
}

/** All of them, as far as they stand in the Deployment. */
export async function controllerSettings(
  around: Surroundings,
  client: Pick<KubeClient, 'get'>,
  signal: AbortSignal,
): Promise<ControllerConfig> {
  try {
    const ref = { resource: deployments, namespace: SYSTEM_NAMESPACE, name: CONTROLLER };
    return readConfig(literalEnv(await client.get<Deployment>(ref, { signal })));
  } catch (err) {
    signal.throwIfAborted();
    const { message } = kubeToDrError(err);
    around.err(`note: the settings of the controller are not known (${message}); its defaults are assumed\n`);
    return readConfig({});
  }
}

/** Variables that are written in the Deployment itself; what comes from elsewhere is about the pod alone. */
function literalEnv({ spec }: Deployment): Record<string, string> {
  const env = (spec?.template?.spec?.containers ?? []).flatMap((container) => container.env ?? []);
  return Object.fromEntries(
    env.flatMap(({ name, value }): [string, string][] => (value === undefined ? [] : [[name, value]])),
  );
}
