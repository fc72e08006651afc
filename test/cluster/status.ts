import type { LocalCluster } from './local/local-cluster.js';
import { controlPlanePrograms, nodePrograms } from './local/programs.js';

/** One line a node: address, first process, programs that run and those that don't. */
export function statusTable(clusters: readonly LocalCluster[]): string {
  if (clusters.length === 0) return 'no local clusters';
  const rows = clusters.flatMap((cluster) =>
    cluster.nodes.map((node, index) => {
      const expected = [...(index === 0 ? controlPlanePrograms : []), ...nodePrograms];
      const missing = expected.filter((name) => node.program(name) === undefined);
      const init = node.init();
      const state =
        init === undefined ? 'down' : missing.length === 0 ? 'running' : `lacks ${missing.join(', ')}`;
      return [node.plan.name, node.plan.address, String(init?.pid ?? '-'), state, cluster.kubeconfigPath];
    }),
  );
  const table = [['NODE', 'ADDRESS', 'PID', 'STATE', 'KUBECONFIG'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .join('\n');
}
