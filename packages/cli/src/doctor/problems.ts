import { type ErrorCode, errorTable, isErrorCode } from '@dr-syncer/api';

/** error: something does not work. warning: it will not, or not as somebody may expect. note: good to know. */
export type Severity = 'error' | 'warning' | 'note' | 'unknown' | 'ok';

interface Problem {
  readonly severity: Severity;
  readonly remedy: string;
}

/** What doctor finds beside the errors that controller and agents report; docs/reference/cli.md lists it. */
export const problemTable = {
  DefinitionMissing: {
    severity: 'error',
    remedy: 'Install the definitions: dr-syncer install, or kubectl apply -k manifests/crds.',
  },
  DefinitionOutdated: {
    severity: 'error',
    remedy:
      'Fields of this version would be dropped by the API server. Bring the definitions up to date: dr-syncer install, or kubectl apply -k manifests/crds.',
  },
  DefinitionNewer: {
    severity: 'warning',
    remedy:
      'The definitions know fields that this program does not: use the version of dr-syncer that is installed.',
  },
  ControllerMissing: {
    severity: 'error',
    remedy: 'Install the controller: dr-syncer install, or kubectl apply -k manifests/source.',
  },
  ControllerNotAvailable: {
    severity: 'error',
    remedy:
      'See why its pod does not run: kubectl -n dr-syncer-system describe pods -l app=dr-syncer-controller, and its log.',
  },
  ControllerMayNot: {
    severity: 'error',
    remedy:
      'Give the ServiceAccount dr-syncer-controller its permissions again: dr-syncer install, or kubectl apply -f manifests/source/rbac.yaml.',
  },
  NoLeader: {
    severity: 'error',
    remedy:
      'Nobody works: the lease dr-syncer-controller is not being renewed. See the log of the controller; deleting its pod starts it anew.',
  },
  PodSecurityTooStrict: {
    severity: 'error',
    remedy:
      'The agent needs a host path and capabilities: kubectl label namespace dr-syncer-system --overwrite pod-security.kubernetes.io/enforce=privileged',
  },
  SystemNamespaceMissing: {
    severity: 'error',
    remedy: 'Create it: dr-syncer install, or kubectl apply -f manifests/remote/namespace.yaml.',
  },
  NotInstalled: {
    severity: 'error',
    remedy:
      'The controller installs the agents by itself; see its log and the conditions of the RemoteCluster.',
  },
  HostKeysMissing: {
    severity: 'error',
    remedy:
      'The controller makes the Secret dr-syncer-agent-host-keys anew at its next look; see its log if it stays away.',
  },
  AgentVersionDiffers: {
    severity: 'warning',
    remedy:
      'Run agents of the version of the controller: set AGENT_IMAGE of the controller, or spec.agentDeployment.image of the RemoteCluster.',
  },
  ClientVersionDiffers: {
    severity: 'warning',
    remedy: 'Use the dr-syncer of the version that is installed.',
  },
  ClockSkew: {
    severity: 'error',
    remedy:
      'Grants and tokens end at a time: a clock that is wrong by minutes has them refused. Let NTP (chrony, systemd-timesyncd) set the clock of the machine named.',
  },
  PortClosed: {
    severity: 'error',
    remedy:
      'Open TCP to this port of the node for the nodes of the source (firewall, security group, NetworkPolicy), set spec.connectivity.addressType or overrides to an address that is reachable, or use connectivity mode PortForward.',
  },
  ReturnPathClosed: {
    severity: 'note',
    remedy:
      'Syncs and failover do not need it, failback does: open TCP to this port of the source nodes for the nodes of the remote.',
  },
  FailoverUnfinished: {
    severity: 'error',
    remedy:
      'A failover was begun and has not come to its end; run dr-syncer failover again, it goes on where it was.',
  },
  BothSidesActive: {
    severity: 'error',
    remedy:
      'The application runs at both ends and both are written to. Bring the source to rest, then use dr-syncer failback; or, if the standby was started by mistake, stop it and remove the annotation dr-syncer.io/active.',
  },
  StandbyIsActive: {
    severity: 'note',
    remedy: 'Nothing is synced while the application runs at the remote; dr-syncer failback takes it back.',
  },
  StaleFence: {
    severity: 'error',
    remedy:
      'Volumes are fenced though their namespace is a standby again, so their syncs are refused: take them out of the ConfigMap dr-syncer-agent-fence in dr-syncer-system.',
  },
  NeverSynced: {
    severity: 'error',
    remedy: 'There is no standby yet: dr-syncer sync --wait, and see what its status says.',
  },
  SyncFailed: {
    severity: 'error',
    remedy: 'The message names the first that failed; kubectl describe of the Replication shows the others.',
  },
  SyncOverdue: {
    severity: 'error',
    remedy: 'The next sync should have begun: see the log of the controller and the condition Ready.',
  },
  Paused: { severity: 'note', remedy: 'Set spec.paused to false when it is to go on.' },
  RotationStuck: {
    severity: 'warning',
    remedy:
      'See docs/guide/keys.md, "When something is in the way"; the nodes that hold it up are in the message.',
  },
  NotSeen: {
    severity: 'unknown',
    remedy: 'This could not be checked; use credentials that may, or see to the cause in the message.',
  },
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problemTable;

/** One thing that was found, or found to be well. */
export interface Finding {
  /** What was looked at. */
  readonly check: string;
  readonly severity: Severity;
  /** Of the table above or of the error table; absent: all is well. */
  readonly code?: string;
  /** Which cluster, object or node. */
  readonly subject: string;
  readonly message: string;
  readonly remedy?: string;
}

/** @param remedy a better one than the table's, where more is known */
export function problem(
  code: ProblemCode | ErrorCode,
  at: { readonly check: string; readonly subject: string },
  message: string,
  remedy?: string,
): Finding {
  const entry: Problem = isErrorCode(code)
    ? { severity: 'error', remedy: errorTable[code].remedy }
    : problemTable[code];
  return { ...at, ...entry, code, message, ...(remedy !== undefined && { remedy }) };
}

export function well(check: string, subject: string, message: string): Finding {
  return { check, severity: 'ok', subject, message };
}
