import { join } from 'node:path';
import { env } from 'node:process';

import { DemoFailure, explain } from './failure.js';
import { Kubectl } from './kubectl.js';
import { Screen } from './screen.js';
import { readSettings } from './settings.js';
import { tellStory } from './story.js';

/**
 * The demo on two clusters that are there already. SOURCE_KUBECONFIG and REMOTE_KUBECONFIG name them; kubectl has to
 * be in PATH. Exit status 1 on any difference. Run by scripts/demo.sh.
 */
async function main(signal: AbortSignal): Promise<boolean> {
  const screen = new Screen(process.stdout);
  try {
    // Compiled to test/dist/demo.
    const settings = readSettings(env, join(import.meta.dirname, '..', '..', '..', 'manifests'));
    const source = new Kubectl({ cluster: 'source', kubeconfig: settings.sourceKubeconfig, signal });
    const remote = new Kubectl({ cluster: 'remote', kubeconfig: settings.remoteKubeconfig, signal });
    return await tellStory({ source, remote, screen, settings });
  } catch (error) {
    if (signal.aborted) {
      screen.line('\nStopped.');
      return false;
    }
    if (error instanceof DemoFailure) {
      for (const block of await explain(error)) screen.line(`\n${block}`);
      if (error.cause instanceof Error) screen.line(`\n${error.cause.message}`);
    }
    screen.line(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
if (!(await main(stop.signal))) process.exitCode = 1;
