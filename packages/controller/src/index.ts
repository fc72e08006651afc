/** What the command line shares with the controller; importing it starts nothing. */
export { Cluster } from './clusters/cluster.js';
export { type OperatorContext, operatorContext } from './clusters/operator-kubeconfig.js';
export { parseRemoteCluster, parseReplication, remoteClusters, replications } from './custom-resources.js';
export * from './engine/index.js';
export { claimDestination, engineFor } from './replication/standby.js';
