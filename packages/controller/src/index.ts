/** What the command line shares with the controller; importing it starts nothing. */
export { Cluster } from './clusters/cluster.js';
export { type OperatorContext, operatorContext } from './clusters/operator-kubeconfig.js';
export { parseRemoteCluster, parseReplication, remoteClusters, replications } from './custom-resources.js';
export * from './engine/index.js';
export { claimDestination, engineFor } from './replication/standby.js';
export { type ControllerConfig, moverPolicyOf, readConfig } from './config.js';
export { readKubeconfigSecret } from './remote-cluster/access.js';
export { checkAdmission, type Route, routeOf } from './replication/rules.js';
export { explainIdentities, type VolumeExplanation } from './volumes/explain-identities.js';
export type { MoverPolicy } from './volumes/identities.js';
export { VolumeScheduler } from './volumes/scheduler/volume-scheduler.js';
export { LAST_SYNC_CONFIG_MAP, type LastSync, lastSyncSchema } from './replication/last-sync.js';
export type { FieldChange } from './plan/field-changes.js';
export { planSync, type PlanSetup } from './plan/plan-sync.js';
export type { PlanAction, PlannedObject, SyncPlan } from './plan/sync-plan.js';
export { compileDesired, type Desired, type DesiredContext, type DesiredOf } from './resources/desired.js';
export { requireKnown, selectTypes } from './resources/selection.js';
export { FactsCache, type SourceFacts, sourceFacts } from './resources/source-facts.js';
export { mergePatched } from './resources/merge-patch.js';
export { podTemplates } from './resources/pod-templates.js';
export { activationPatch, canRun, parkingPatch } from './resources/standby/standby.js';
export type { ScalePaths } from './resources/standby/kinds.js';
export { expiryCondition } from './remote-cluster/credentials.js';
export { checkPermissions } from './remote-cluster/permissions.js';
export { AgentVisit, type Hello } from './clusters/agent-visit.js';
export { Agents, type AgentsOptions } from './clusters/agents.js';
export { Relay } from './clusters/reach/relay.js';
export { ClientKeySubject } from './rotation/client-key-subject.js';
export { type HostKeySubject } from './rotation/host-key-subject.js';
export { KeyMaker, type MakesKeys } from './rotation/key-maker.js';
export {
  KeyRotation,
  type RotatedKeys,
  type RotationOrder,
  type RotationSubject,
} from './rotation/key-rotation.js';
export { type Transition, transitions } from './rotation/machine.js';
export { type NewsItem, RotationNews } from './rotation/news.js';
export { agentDaemonSet, agentServiceAccount } from './clusters/agent-objects.js';
/** For the reference page of metrics. */
export { SyncMetrics } from './metrics.js';
export { StateMetrics } from './state-metrics.js';
export { agentUp } from './clusters/agent-metrics.js';
