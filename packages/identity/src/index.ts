export * from './mcs.js';
export {
  sccAnnotation,
  fsGroupRanges,
  level,
  supplementalGroupsRanges,
  uidRange,
} from './scc/annotations.js';
export type { Annotations } from './scc/annotations.js';
export { assign, effectiveContext, validateContainer, validatePod } from './scc/assign.js';
export type { PodSecurity } from './scc/assign.js';
export { parseBlock, parseBlocks } from './scc/blocks.js';
export type { Block } from './scc/blocks.js';
export { fieldErrorText } from './scc/field-error.js';
export type { FieldError } from './scc/field-error.js';
export { stricterRules } from './scc/outcome.js';
export type { Failure, Outcome, StricterRule } from './scc/outcome.js';
export { createProvider, providerForNamespace } from './scc/provider.js';
export type { Provider } from './scc/provider.js';
export { constraintsSchema, containerSecurityContextSchema, podSecurityContextSchema } from './scc/types.js';
export type {
  Constraints,
  ContainerSecurityContext,
  GroupOptions,
  IdRange,
  PodSecurityContext,
  SeLinuxOptions,
} from './scc/types.js';
export { decidePrivilege } from './privilege.js';
export type { PrivilegeDecision, PrivilegeEnd, PrivilegePolicy, PrivilegeReason } from './privilege.js';
export { refusalText } from './refusal.js';
export type { Refusal } from './refusal.js';
export { resolveIdentity } from './resolve.js';
export type { IdentityField, Resolution, ResolveInput } from './resolution.js';
export type { WorkloadPod } from './workload.js';
export { workloadIds } from './workload.js';
export type { WorkloadIds } from './workload.js';
export { mapPairs, namespaceIdMap } from './id-map.js';
export { placeholderIds } from './placeholder-ids.js';
export type { PlaceholderIds } from './placeholder-ids.js';
export { idMapLosses, losses, receiverOptions, rootModesAgree, senderOptions } from './rsync-options.js';
export type { Loss, ReceivingIdentity, RsyncIdentityOptions, TransferFacts } from './rsync-options.js';
