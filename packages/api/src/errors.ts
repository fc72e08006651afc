/**
 * The one table of errors: a stable code, whether trying again can help, and what a person can do about it.
 * Condition reasons, Event reasons, log codes and refusals on the wire are these codes.
 */
interface ErrorEntry {
  /** retry: may pass by itself. wait: passes when the named thing changes. terminal: a person has to act. */
  readonly kind: 'retry' | 'wait' | 'terminal';
  readonly remedy: string;
}

const table = {
  // Configuration and remote clusters
  KubeconfigSecretNotFound: {
    kind: 'wait',
    remedy:
      'Create the Secret named in spec.kubeconfigSecret in the same namespace, with the key "kubeconfig".',
  },
  KubeconfigRefused: {
    kind: 'wait',
    remedy:
      'Use a kubeconfig with an https server, inline certificate data and a token or inline client certificate only.',
  },
  KubeconfigExpiring: {
    kind: 'wait',
    remedy:
      'Put a kubeconfig with newer credentials into the Secret in time; "dr-syncer kubeconfig create" makes one whose token the controller renews.',
  },
  TokenRenewalFailed: {
    kind: 'retry',
    remedy:
      'Allow "create serviceaccounts/token" for the account itself in the remote and "patch secrets" for the controller in the namespace of the Secret.',
  },
  VersionSkew: {
    kind: 'wait',
    remedy:
      'Objects can use fields or API versions that the other server does not have; bring the two clusters closer together.',
  },
  RemoteUnreachable: {
    kind: 'retry',
    remedy:
      'Check that the API server address in the kubeconfig can be reached from the controller and that its certificate matches.',
  },
  RemoteUnauthorized: {
    kind: 'wait',
    remedy:
      'The remote API server refused the credentials; renew the token or certificate in the kubeconfig Secret.',
  },
  PermissionMissing: {
    kind: 'wait',
    remedy: 'Grant the permissions listed in the message to the account in the kubeconfig.',
  },
  KeyInvalid: {
    kind: 'wait',
    remedy:
      'Delete the Secret to have a new key made, or put a PEM RSA private key of at least 3072 bits under id_rsa.',
  },
  KeyShared: {
    kind: 'wait',
    remedy: 'Name another Secret in spec.sshKeySecret, or none: each RemoteCluster has a key of its own.',
  },
  HostKeyMismatch: {
    kind: 'terminal',
    remedy:
      'The agent presented a host key that is not pinned. Find out who answers at that address before anything else.',
  },
  AgentNotReady: {
    kind: 'retry',
    remedy:
      'Look at the agent DaemonSet: kubectl -n dr-syncer-system get pods -l app=dr-syncer-agent -o wide.',
  },
  AgentUnreachable: {
    kind: 'retry',
    remedy:
      'Check that TCP port 2222 of the node is reachable from the controller and from the source nodes.',
  },
  AgentRefusedKey: {
    kind: 'retry',
    remedy:
      'The agent does not know the key of the controller (yet): see the key rotation in the status of the RemoteCluster.',
  },
  // Replications
  RemoteClusterNotFound: {
    kind: 'wait',
    remedy: 'Create the RemoteCluster named in spec.destinationCluster.',
  },
  RemoteClusterNotReady: { kind: 'wait', remedy: 'See the conditions of the RemoteCluster.' },
  NamespaceNotAllowed: {
    kind: 'terminal',
    remedy: 'Use a namespace that the rules allow, or move the Replication to dr-syncer-system.',
  },
  SourceNamespaceNotFound: {
    kind: 'wait',
    remedy: 'Create the source namespace or correct spec.sourceNamespace.',
  },
  UnknownResourceType: {
    kind: 'terminal',
    remedy: 'Name a type that the source cluster serves: plural, singular, kind, short name or plural.group.',
  },
  TransformInvalid: {
    kind: 'terminal',
    remedy: 'Correct the rule of spec.transforms or of the mapping that the message names.',
  },
  TransformFailed: {
    kind: 'terminal',
    remedy:
      'Correct the rule that the message names, or narrow its selector so that it leaves this object out.',
  },
  ImmutableField: {
    kind: 'terminal',
    remedy:
      'Delete the object at the destination yourself, or choose Recreate or NoChange for its kind in spec.immutableResources.',
  },
  ImmutableKept: {
    kind: 'terminal',
    remedy: 'Nothing: spec.immutableResources says that such an object stays as it is at the destination.',
  },
  DefinitionNotReady: {
    kind: 'retry',
    remedy: 'See the conditions of the CustomResourceDefinition in the remote cluster.',
  },
  CannotPark: {
    kind: 'terminal',
    remedy:
      'Label the object in the source dr-syncer.io/scale-override with the number of replicas that may run at the destination, bring it to rest by a rule in spec.transforms, or exclude it.',
  },
  ObjectRejected: { kind: 'terminal', remedy: 'The remote API server refused the object; see the message.' },
  ClaimCannotGrow: {
    kind: 'terminal',
    remedy:
      'Set allowVolumeExpansion on the StorageClass of the claim at the destination, or make that claim anew with the size of the source; until then its volume is copied as far as it has room.',
  },
  ObjectTooLarge: {
    kind: 'terminal',
    remedy:
      'An object may have 1.5 MiB, with the annotations that the standby adds; make it smaller or exclude it.',
  },
  QuotaExceeded: { kind: 'wait', remedy: 'Raise the ResourceQuota of the namespace at the destination.' },
  WebhookDenied: {
    kind: 'terminal',
    remedy: 'An admission webhook of the remote cluster refused the object; see its message.',
  },
  WebhookUnavailable: {
    kind: 'retry',
    remedy:
      'An admission webhook of the remote cluster does not answer; see the webhook named in the message.',
  },
  TypeNotServed: {
    kind: 'wait',
    remedy:
      'Install the CustomResourceDefinition (or the API) in the remote cluster, in a version that the source serves too.',
  },
  DestinationOwned: {
    kind: 'terminal',
    remedy:
      'Choose another spec.destinationNamespace, or remove the annotation dr-syncer.io/standby from the one that is owned.',
  },
  StandbyActive: {
    kind: 'wait',
    remedy:
      'The application runs at the destination, so nothing is written there; remove the annotation dr-syncer.io/active when it no longer does.',
  },
  StandbyNotActive: {
    kind: 'terminal',
    remedy:
      'Data is taken back only from a standby that a failover has made active; "dr-syncer failover" does that.',
  },
  SourceUnreachable: {
    kind: 'terminal',
    remedy:
      "Data goes back from nodes of the remote to the agents' port (2222) on nodes of the source, which only a failback needs: open it in firewalls and NetworkPolicies, then try again. Nothing was stopped.",
  },
  DrillNotFound: {
    kind: 'terminal',
    remedy:
      'Its namespace is gone, or was not made for a drill of this standby: run "dr-syncer drill" again.',
  },
  SourceRunning: {
    kind: 'terminal',
    remedy:
      'Stop what uses the volumes at the source before data is taken back; "dr-syncer failback --stop-source" does that.',
  },
  ScheduleInvalid: {
    kind: 'terminal',
    remedy:
      'Correct spec.sync.schedule (five fields of cron, or @hourly and the like) and spec.sync.timeZone.',
  },
  ObjectNotFound: { kind: 'wait', remedy: 'Create the object, namespace or type named in the message.' },
  ObjectChanged: { kind: 'retry', remedy: 'Nothing: someone else changed the object at the same time.' },
  ApiServerUnavailable: {
    kind: 'retry',
    remedy:
      'The API server is overloaded or failed inside; it is asked again later. See its log if this stays.',
  },
  LeadershipLost: { kind: 'retry', remedy: 'Nothing: another replica of the controller has taken over.' },
  ObjectConflict: {
    kind: 'terminal',
    remedy: 'Another field manager owns these fields at the destination; remove its object or fields first.',
  },
  ForeignObject: {
    kind: 'terminal',
    remedy:
      'An object of that name exists at the destination and was not made by DR-Syncer; delete or rename it.',
  },
  Timeout: { kind: 'retry', remedy: 'The other side did not answer in time.' },
  Internal: { kind: 'retry', remedy: 'Please report this with the log lines around it.' },
  Cancelled: { kind: 'retry', remedy: 'Nothing: it was asked for.' },
  // Volumes
  StorageClassNotFound: {
    kind: 'wait',
    remedy: 'Create the storage class in the remote cluster or add it to spec.pvcConfig.storageClassMapping.',
  },
  ClaimNotBound: {
    kind: 'retry',
    remedy: 'See the events of the claim in the namespace named in the message.',
  },
  VolumeNotMounted: { kind: 'retry', remedy: 'See the events of the pod that should mount the volume.' },
  VolumeModeUnsupported: {
    kind: 'terminal',
    remedy: 'Only volumes with volumeMode Filesystem can be copied.',
  },
  VolumeNotFound: {
    kind: 'retry',
    remedy:
      'The agent does not see the volume below the kubelet directory of the node; check agentDeployment.kubeletDir.',
  },
  VolumeFenced: {
    kind: 'wait',
    remedy:
      'The standby is active, so its volumes take no data. "dr-syncer failback" hands it back, when that is wanted.',
  },
  HostPathNotAllowed: {
    kind: 'wait',
    remedy:
      'The volume is a directory of its node. Name a prefix of its path in agentDeployment.hostPathPrefixes (source: SOURCE_HOST_PATH_PREFIXES) to have such volumes copied.',
  },
  VolumeReadOnly: {
    kind: 'wait',
    remedy:
      'The volume is mounted read-only, so nothing can be written to it: see the claim and the pod that mounts it.',
  },
  IdentityRefused: {
    kind: 'terminal',
    remedy:
      'Change spec.moverSecurityContext as the message says, or have the namespace annotated for privileged movers.',
  },
  IdentityMismatch: {
    kind: 'terminal',
    remedy:
      'The started process did not have the identity it was meant to have and was ended; please report this.',
  },
  SELinuxContextMismatch: {
    kind: 'wait',
    remedy:
      'The volume is mounted with another SELinux context than its files should have: give the namespaces the same MCS level, or remove the pod that mounts it with the other.',
  },
  PermissionsIncomplete: {
    kind: 'retry',
    remedy:
      'The data has arrived, but the group, mode or label of the named entries could not be set; see the message for the cause.',
  },
  DestinationInUse: {
    kind: 'wait',
    remedy:
      'A pod of the workload has the volume mounted at the destination; scale it to zero before syncing.',
  },
  SourceEmpty: {
    kind: 'terminal',
    remedy: 'The source volume is empty and the copy is not: check that the right volume is mounted.',
  },
  SourceVolumeChanged: {
    kind: 'terminal',
    remedy:
      'Check that the right volume is mounted at the source; when it was replaced on purpose, confirm as the message says.',
  },
  DeletionGuard: {
    kind: 'terminal',
    remedy:
      'Check what happened to the files at the source; when they were removed on purpose, confirm as the message says.',
  },
  TransferFailed: { kind: 'retry', remedy: 'See the message of rsync.' },
  TransferPartial: {
    kind: 'terminal',
    remedy: 'Some files could not be copied with this identity; see the list in the message.',
  },
  TransferStalled: {
    kind: 'retry',
    remedy: 'No data moved for the stall timeout; check the network between the nodes.',
  },
  TransferInterrupted: {
    kind: 'retry',
    remedy: 'The agent of the source node has restarted; the next attempt goes on from what is there.',
  },
  VolumeBusy: {
    kind: 'retry',
    remedy: 'Another transfer writes to the volume. If it should not, look for a second Replication of it.',
  },
  DestinationFull: { kind: 'wait', remedy: 'Grow the volume at the destination or free space in it.' },
  VerificationFailed: {
    kind: 'retry',
    remedy:
      'The next sync compares every file by content and puts the copy right. If it fails again, look at the disks of both ends.',
  },
  HookFailed: {
    kind: 'retry',
    remedy:
      'Run the command by "kubectl exec" in that container to see what it says; status.hooks has the results of all.',
  },
  HookInvalid: {
    kind: 'terminal',
    remedy: 'Correct the annotation of the pod, or spec.pvcConfig.hooks, as the message says.',
  },
  HookNotPermitted: {
    kind: 'wait',
    remedy:
      'Let the controller run commands in the pods of that namespace: kubectl create rolebinding dr-syncer-hooks --namespace NAMESPACE --clusterrole dr-syncer-hooks --serviceaccount dr-syncer-system:dr-syncer-controller',
  },
  RsyncTooOld: { kind: 'terminal', remedy: 'Privileged movers need rsync 3.5 or newer in the agent image.' },
  // Agent protocol
  GrantNotFound: {
    kind: 'retry',
    remedy: 'The grant has expired or was withdrawn; the next run opens a new one.',
  },
  Busy: { kind: 'retry', remedy: 'Too many requests wait for an answer already; it passes.' },
  BadRequest: {
    kind: 'terminal',
    remedy: 'Controller and agent do not understand each other; run the same version of both.',
  },
  TransferNotFound: {
    kind: 'retry',
    remedy: 'The agent has restarted; the next run starts the transfer again.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof table;
export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table;

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(table, value);
}

/** An error with a code from the table. `message` says what happened, never holds secret material. */
export class DrError extends Error {
  override readonly name = 'DrError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get kind(): ErrorEntry['kind'] {
    return errorTable[this.code].kind;
  }

  get remedy(): string {
    return errorTable[this.code].remedy;
  }
}

/** Any thrown value as a `DrError`; what is not one of ours becomes `fallback`. */
export function toDrError(err: unknown, fallback: ErrorCode = 'Internal'): DrError {
  if (err instanceof DrError) return err;
  const message = err instanceof Error ? err.message : String(err);
  return new DrError(fallback, message, { cause: err });
}
