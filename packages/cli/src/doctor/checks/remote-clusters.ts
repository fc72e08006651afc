import { type Condition, isErrorCode } from '@dr-syncer/api';
import { checkPermissions, parseReplication, routeOf } from '@dr-syncer/controller';
import { kubeToDrError } from '@dr-syncer/kube';

import type { Check, DoctorContext, RemoteUnderTest } from '../context.js';
import { notSeen } from '../each-cluster.js';
import { type Finding, problem, well } from '../problems.js';

const HOUR_MS = 3_600_000;
const LISTED = 8;
/** Conditions that each wait for the one before; of those only the first that fails is news. */
const steps = ['KubeconfigValid', 'Reachable', 'PermissionsGranted', 'KeysReady', 'AgentReady'] as const;

/** What the controller says of each RemoteCluster. */
export const remoteConditions: Check = ({ remotes }) =>
  Promise.resolve(remotes.flatMap((one) => judgeConditions(one, new Date())));

/** Pure. */
export function judgeConditions(
  { key, remote }: Pick<RemoteUnderTest, 'key' | 'remote'>,
  now: Date,
): Finding[] {
  const at = { check: 'remote cluster', subject: `RemoteCluster ${key}` };
  const { status = {}, spec, metadata } = remote;
  if (spec.paused) return [problem('Paused', at, 'spec.paused is true, so nothing is done with it')];
  const { conditions = [], observedGeneration } = status;
  if (observedGeneration !== metadata.generation) {
    return [
      problem(
        'RemoteClusterNotReady',
        at,
        'the controller has not looked at it as it is now',
        'See whether the controller runs and leads.',
      ),
    ];
  }
  const failing = steps
    .map((type) => conditions.find((one) => one.type === type))
    .find((one) => one !== undefined && one.status !== 'True');
  const others = conditions.filter(
    ({ type, status: value }) => type === 'VersionsCompatible' && value === 'False',
  );
  const bad = [...(failing === undefined ? [] : [failing]), ...others].map((one) => ofCondition(one, at));
  const stuck = [
    rotationProblem('key', status.sshKey?.rotation, at, now),
    rotationProblem('host keys', status.hostKeys?.rotation, at, now),
  ];
  const found = [...bad, ...stuck.flatMap((one) => one ?? [])];
  return found.length > 0
    ? found
    : [
        well(
          at.check,
          at.subject,
          `${status.phase ?? 'no phase'}, agents ${status.agentStatus?.summary ?? '?'}`,
        ),
      ];
}

function ofCondition({ type, reason, message }: Condition, at: { check: string; subject: string }): Finding {
  const code = isErrorCode(reason) ? reason : 'RemoteClusterNotReady';
  const finding = problem(code, at, `${type}: ${message}`);
  return type === 'VersionsCompatible' ? { ...finding, severity: 'warning' } : finding;
}

type Rotation = NonNullable<NonNullable<RemoteUnderTest['remote']['status']>['sshKey']>['rotation'];

function rotationProblem(
  what: string,
  rotation: Rotation,
  at: { check: string; subject: string },
  now: Date,
): Finding | undefined {
  if (rotation === undefined) return undefined;
  const age = now.getTime() - Date.parse(rotation.startedAt ?? '');
  if (rotation.problem === undefined && !(age > HOUR_MS)) return undefined;
  const { phase, waitingFor = [], problem: why } = rotation;
  const nodes = waitingFor.length === 0 ? '' : `, waiting for ${waitingFor.join(', ')}`;
  return problem(
    'RotationStuck',
    at,
    `rotation of the ${what} is ${phase}${nodes}${why === undefined ? '' : `: ${why}`}`,
  );
}

/** Each remote answers, as seen from here, and its account may do what is needed. */
export const remoteAccess: Check = async (context) =>
  (await Promise.all(context.remotes.map((one) => accessFindings(context, one)))).flat();

async function accessFindings(context: DoctorContext, one: RemoteUnderTest): Promise<Finding[]> {
  const { signal } = context;
  const { client, key, remote } = one;
  if (client === undefined) return [];
  const at = { check: 'remote access', subject: `RemoteCluster ${key}` };
  try {
    const { gitVersion } = await client.version({ signal, timeoutMs: 8_000 });
    const wanted = {
      ...{ mode: remote.spec.connectivity.mode, deletionPolicy: remote.spec.deletionPolicy, renewal: false },
      namespaces: destinationsOf(context, key),
    };
    const { missing } = await checkPermissions(client, wanted, signal);
    if (missing.length === 0)
      return [
        well(at.check, at.subject, `answers, version ${gitVersion}, and its account may do what is needed`),
      ];
    const more = missing.length > LISTED ? ` and ${missing.length - LISTED} more` : '';
    const message = `the account may not ${missing.slice(0, LISTED).join(', ')}${more}`;
    const remedy =
      'Give the account its permissions again: dr-syncer kubeconfig create, or kubectl apply -f manifests/remote/rbac.yaml.';
    return [problem('PermissionMissing', at, message, remedy)];
  } catch (err) {
    signal.throwIfAborted();
    const { code, message } = kubeToDrError(err);
    if (code !== 'RemoteUnauthorized' && code !== 'RemoteUnreachable')
      return [notSeen(at.check, at.subject, err)];
    // The controller may sit somewhere else, and get through.
    const isReached =
      remote.status?.conditions?.some(({ type, status }) => type === 'Reachable' && status === 'True') ===
      true;
    const finding = problem(code, at, `from here: ${message}`);
    return [isReached && code === 'RemoteUnreachable' ? { ...finding, severity: 'note' } : finding];
  }
}

function destinationsOf({ replications }: DoctorContext, key: string): string[] {
  const names = replications.flatMap((object) => {
    const parsed = parseReplication(object);
    if (!parsed.ok) return [];
    try {
      const { remoteKey, destinationNamespace } = routeOf(parsed.value);
      return remoteKey === key ? [destinationNamespace] : [];
    } catch {
      return [];
    }
  });
  return [...new Set(names)];
}
