/**
 * Names that users and other programs see: API group, labels, annotations, well-known objects.
 * They are written here once; nothing else in the tree spells them out.
 */
export const API_GROUP = 'dr-syncer.io';
export const API_VERSION = 'v1alpha1';
export const API_GROUP_VERSION = `${API_GROUP}/${API_VERSION}`;

/** Where the product itself lives, in the source cluster and in every remote. */
export const SYSTEM_NAMESPACE = 'dr-syncer-system';
/** Field manager of every object written by server-side apply. */
export const FIELD_MANAGER = 'dr-syncer';

export const label = {
  /** Object is not copied when "true". */
  ignore: `${API_GROUP}/ignore`,
  /** On objects at the destination: they belong to us. Value: `FIELD_MANAGER`. */
  managedBy: `${API_GROUP}/managed-by`,
  /** On objects at the destination: UID of the Replication that owns them. */
  replication: `${API_GROUP}/replication`,
  /** On placeholder pods: UID of the claim they hold mounted. */
  placeholder: `${API_GROUP}/placeholder-for`,
  /** On placeholder pods: hash of the UID of the source cluster whose controller made it. */
  controller: `${API_GROUP}/controller`,
  /** On placeholder pods at the destination: which RemoteCluster made them, as a hash. */
  owner: `${API_GROUP}/owner`,
  /** On all that a drill makes, its namespace too: name of the standby's namespace that it is a copy of. */
  drillOf: `${API_GROUP}/drill-of`,
  /** On Deployments and StatefulSets: replicas of the standby instead of 0. */
  scaleOverride: `${API_GROUP}/scale-override`,
} as const;

export const annotation = {
  /** On a Replication: sync now. The value is a request id, echoed in `status.lastSyncRequest`. */
  syncNow: `${API_GROUP}/sync-now`,
  /**
   * On a Replication: take the data of the volumes back from the active standby. The value is a request id, echoed in
   * `status.reverseSync.request`.
   */
  reverseSync: `${API_GROUP}/reverse-sync`,
  /** On a Replication: look whether that could be done, moving nothing. Echoed in `status.reverseCheck.request`. */
  reverseCheck: `${API_GROUP}/reverse-check`,
  /**
   * On a Replication: copy the standby's volumes into this namespace of the remote, which was made for a drill. Echoed
   * in `status.drill.request`.
   */
  drill: `${API_GROUP}/drill`,
  /** On the namespace of a drill: when the command that made it was last seen alive (RFC 3339). */
  drillAlive: `${API_GROUP}/drill-alive`,
  /**
   * `MODE=REQUEST` or, for one volume alone, `MODE:CLAIM=REQUEST`: how the copies of the sync of that request are checked,
   * in place of pvcConfig.verification.
   */
  verify: `${API_GROUP}/verify`,
  /** On pods: a command around the copying of their volumes, a JSON list of words, as in `pvcConfig.hooks`. */
  preSyncCommand: `${API_GROUP}/pre-sync-command`,
  postSyncCommand: `${API_GROUP}/post-sync-command`,
  /** On pods, for both of these: the container, the longest time (as 90s) and Fail or Continue. */
  syncHookContainer: `${API_GROUP}/sync-hook-container`,
  syncHookTimeout: `${API_GROUP}/sync-hook-timeout`,
  syncHookOnError: `${API_GROUP}/sync-hook-on-error`,
  /** On a Replication: the run that a deletion guard has stopped, and that is meant nevertheless. */
  confirmDeletions: `${API_GROUP}/confirm-deletions`,
  /** On a RemoteCluster: "true" replaces the controller's key in order, "revoke" has it refused at once. */
  rotateSshKey: `${API_GROUP}/rotate-ssh-key`,
  /** On a RemoteCluster: "true" replaces the agents' host keys. */
  rotateHostKeys: `${API_GROUP}/rotate-host-keys`,
  /** On a RemoteCluster that is being deleted: "true" gives up what is in a remote that will not come back. */
  abandonRemote: `${API_GROUP}/abandon-remote`,
  /** On a RemoteCluster: a new value has agents asked again that showed a wrong host key. */
  recheckHostKeys: `${API_GROUP}/recheck-host-keys`,
  /** On a kubeconfig Secret: "true" lets the controller put a new token of the same ServiceAccount into it. */
  renewToken: `${API_GROUP}/renew-token`,
  /** On a Namespace: "true" lets transfers of its volumes keep foreign owners. */
  privilegedMovers: `${API_GROUP}/privileged-movers`,
  /** The same, as VolSync's users know it. */
  privilegedMoversAlias: 'volsync.backube/privileged-movers',
  /** On pods of agents: which state of the Secret with authorized keys kubelet has been told of. */
  keysRevision: `${API_GROUP}/keys-revision`,
  /** At the destination: replica count of the source. */
  originalReplicas: `${API_GROUP}/original-replicas`,
  /** At the destination: whether the source's CronJob or Job was suspended. */
  originalSuspend: `${API_GROUP}/original-suspend`,
  /** At the destination: `spec.minReplicas` of the source's HorizontalPodAutoscaler, where it was 0. */
  originalMinReplicas: `${API_GROUP}/original-min-replicas`,
  /** At the destination: what the source had in KEDA's annotation to pause, "" for nothing. */
  originalPaused: `${API_GROUP}/original-paused`,
  /** At the destination: hash of the desired state that was applied last. */
  desiredHash: `${API_GROUP}/desired-hash`,
  /** On placeholder pods: tells those of one identity from those of another. */
  placeholderContext: `${API_GROUP}/placeholder-context`,
  /** On a claim at the destination: what is remembered of the copy in its volume (JSON). */
  volumeCopy: `${API_GROUP}/volume-copy`,
  /** At the destination: `namespace/name` of the object in the source cluster. */
  source: `${API_GROUP}/source`,
  /** At the destination: since when the source of this object is gone (RFC 3339); it waits to be pruned. */
  sourceGone: `${API_GROUP}/source-gone`,
  /** On a Replication: the token from `status.prune`, to let exactly those objects be pruned. */
  confirmPrune: `${API_GROUP}/confirm-prune`,
  /** On the destination Namespace: whose standby it is, as JSON. */
  standby: `${API_GROUP}/standby`,
  /** On the destination Namespace: anything but "false" says that the application runs here; nothing is written then. */
  active: `${API_GROUP}/active`,
  /** On the source Namespace: since when its workloads are stopped for a planned failover or a failback (RFC 3339). */
  stopped: `${API_GROUP}/stopped`,
  /** On workloads: a whole number; a failover starts smaller ones before greater ones. */
  startOrder: `${API_GROUP}/start-order`,
  /** On pods of agents: which state of the fence kubelet has been told of. */
  fenceRevision: `${API_GROUP}/fence-revision`,
} as const;

/** On Replications with `deletionPolicy: Prune`, until their standby is removed. */
export const STANDBY_FINALIZER = `${API_GROUP}/standby`;
/** On Replications whose post hooks are owed to pods. */
export const HOOKS_FINALIZER = `${API_GROUP}/hooks`;
/** On RemoteClusters that have something of ours in the remote. */
export const REMOTE_FINALIZER = `${API_GROUP}/remote`;

/** The user name that the agent's SSH server accepts. */
export const SSH_USER = 'drsyncer';
export const AGENT_PORT = 2222;
/** Forced command of the controller's key: the control protocol, nothing else. */
export const CONTROL_COMMAND = 'dr-syncer-control';
/** Forced command of a transfer's key: checks what rsync asks for and runs it confined to one directory. */
export const RSYNC_COMMAND = 'dr-syncer-rsync';

/** ServiceAccount in the remote that `dr-syncer kubeconfig create` makes. */
export const REMOTE_SERVICE_ACCOUNT = 'dr-syncer-remote';

export const agentNames = {
  daemonSet: 'dr-syncer-agent',
  serviceAccount: 'dr-syncer-agent',
  /** Secret in the agent's own cluster: `ssh_host_ed25519_key`, `ssh_host_rsa_key` and their `.pub`. */
  hostKeysSecret: 'dr-syncer-agent-host-keys',
  /** ConfigMap in the agent's own cluster, made at a failover: `volumes`, names of PVs that take no data. */
  fenceConfigMap: 'dr-syncer-agent-fence',
  /** Secret in the agent's own cluster: `authorized_keys`. */
  authorizedKeysSecret: 'dr-syncer-agent-authorized-keys',
} as const;

/** Secret with the key that the controller uses towards the agents of its own cluster. */
export const SOURCE_KEY_SECRET = 'dr-syncer-source-ssh-key';
