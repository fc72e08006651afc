import { ensureClusters, ensureLocalClusters } from './clusters.js';
import { readSettings } from './settings.js';
import type { LocalTestCluster, TestClusters } from './test-cluster.js';

export { startApiServer, type ApiServer } from './api-server.js';
export type { ComponentName, LocalTestCluster, TestCluster, TestClusters, TestNode } from './test-cluster.js';

const report = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Both clusters, brought up if they are not: the user's own, kind's, or local ones. */
export function anyClusters(): Promise<TestClusters> {
  return ensureClusters(readSettings(), report);
}

/** Two clusters that a test may hurt: programs can be killed, nodes unplugged, volumes filled. */
export function fullClusters(): Promise<TestClusters<LocalTestCluster>> {
  return ensureLocalClusters(readSettings(), report);
}
