import { join } from 'node:path';
import { env } from 'node:process';

import type { Context } from '../../demo/context.js';
import { repositoryRoot } from '../../cluster/paths.js';
import { Kubectl } from '../../demo/kubectl.js';
import { Screen } from '../../demo/screen.js';
import { readSettings } from '../../demo/settings.js';

/** What the tests of this folder work with: two clusters that `make test` has brought up, and kubectl for each. */
export interface TwoClusters extends Context {
  /** What the demo has said so far. */
  said(): string;
}

export function twoClusters(): TwoClusters {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const settings = { ...readSettings(env, join(repositoryRoot(), 'manifests')), sizeMb: 20 };
  return {
    settings,
    source: new Kubectl({ cluster: 'source', kubeconfig: settings.sourceKubeconfig, signal }),
    remote: new Kubectl({ cluster: 'remote', kubeconfig: settings.remoteKubeconfig, signal }),
    screen: new Screen({ write: (text) => lines.push(text) }),
    said: () => lines.join(''),
  };
}
