import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, type ObjectMeta, sleep, wellKnown } from '@dr-syncer/kube';

import type { Check } from '../context.js';
import { type Finding, problem, well } from '../problems.js';

const NAME = 'dr-syncer-controller';
const SUBJECT = `${SYSTEM_NAMESPACE}/${NAME}`;

interface Deployment extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly availableReplicas?: number };
}

interface Pod extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

/** The Deployment is there and has a pod that works. */
export const controllerRuns: Check = async ({ client, signal }) => {
  const at = { check: 'controller', subject: SUBJECT };
  const ref = { resource: wellKnown.deployments, namespace: SYSTEM_NAMESPACE, name: NAME };
  const present = await client.find<Deployment>(ref, { signal });
  if (present === undefined) return [problem('ControllerMissing', at, `there is no Deployment ${SUBJECT}`)];
  const wanted = present.spec?.replicas ?? 1;
  const available = present.status?.availableReplicas ?? 0;
  if (available > 0) return [well('controller', SUBJECT, `${available} of ${wanted} replicas are available`)];
  if (wanted === 0)
    return [
      problem(
        'ControllerNotAvailable',
        at,
        'it is scaled to 0',
        `Start it: kubectl -n ${SYSTEM_NAMESPACE} scale deployment ${NAME} --replicas=1`,
      ),
    ];
  const why = await waitingReasons(client, signal);
  return [problem('ControllerNotAvailable', at, `none of ${wanted} replicas is available${why}`)];
};

async function waitingReasons(client: KubeClient, signal: AbortSignal): Promise<string> {
  const options = { namespace: SYSTEM_NAMESPACE, labelSelector: `app=${NAME}`, signal };
  const { items } = await client.list<Pod>(wellKnown.pods, options);
  const reasons = items.flatMap(({ status }) =>
    (status?.containerStatuses ?? []).flatMap(({ state }) =>
      state?.waiting === undefined
        ? []
        : [[state.waiting.reason, state.waiting.message].filter(Boolean).join(': ')],
    ),
  );
  return reasons.length === 0 ? '' : `: ${[...new Set(reasons)].join('; ')}`;
}

interface Lease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number };
}

const LOOK_MS = 500;
const MARGIN_S = 2;
/** Where a lease does not say how long it is good. */
const DEFAULT_S = 15;

/**
 * Somebody holds the lease and renews it. The times in the lease are of another clock, so it is watched for as long as
 * it is good: a leader that is alive renews it several times in that.
 */
export const leader: Check = async ({ client, config, signal }) => {
  const at = { check: 'leader', subject: SUBJECT };
  if (!config.LEADER_ELECTION)
    return [well('leader', SUBJECT, 'there is no election: LEADER_ELECTION is false')];
  const ref = { resource: wellKnown.leases, namespace: SYSTEM_NAMESPACE, name: NAME };
  const first = await client.find<Lease>(ref, { signal });
  const holder = holderOf(first);
  if (holder === '') return [problem('NoLeader', at, 'nobody holds the lease')];
  const seconds = (first?.spec?.leaseDurationSeconds ?? DEFAULT_S) + MARGIN_S;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    await sleep(LOOK_MS, signal);
    const now = await client.find<Lease>(ref, { signal });
    if (now?.metadata.resourceVersion === first?.metadata.resourceVersion) continue;
    if (holderOf(now) === '') return [problem('NoLeader', at, 'the lease was given back a moment ago')];
    return [well('leader', SUBJECT, `${holderOf(now)} holds the lease and renews it`)];
  }
  return [problem('NoLeader', at, `${holder} has the lease and has not renewed it for ${seconds} s`)];
};

function holderOf(lease: Lease | undefined): string {
  return lease?.spec?.holderIdentity ?? '';
}

/** A sample of what its manifests give it: what each of its tasks begins with. */
const needed = [
  ...['list', 'watch'].map((verb) => ({ verb, group: 'dr-syncer.io', resource: 'replications' })),
  { verb: 'patch', group: 'dr-syncer.io', resource: 'replications', subresource: 'status' },
  { verb: 'patch', group: 'dr-syncer.io', resource: 'remoteclusters', subresource: 'status' },
  ...['secrets', 'configmaps', 'persistentvolumeclaims', 'nodes'].map((resource) => ({
    verb: 'list',
    group: '',
    resource,
  })),
  ...['create', 'delete'].map((verb) => ({ verb, group: '', resource: 'pods' })),
  ...['create', 'patch'].map((verb) => ({
    verb,
    group: '',
    resource: 'secrets',
    namespace: SYSTEM_NAMESPACE,
  })),
  { verb: 'patch', group: 'apps', resource: 'daemonsets', namespace: SYSTEM_NAMESPACE },
  { verb: 'update', group: 'coordination.k8s.io', resource: 'leases', namespace: SYSTEM_NAMESPACE },
] as const;

const accessReviews = {
  ...{ group: 'authorization.k8s.io', version: 'v1', plural: 'subjectaccessreviews' },
  ...{ kind: 'SubjectAccessReview', namespaced: false },
};

/** The account of the controller may do what it has to. */
export const controllerPermissions: Check = async ({ client, signal }) => {
  const user = `system:serviceaccount:${SYSTEM_NAMESPACE}:${NAME}`;
  const missing: string[] = [];
  for (const rule of needed) {
    const review = await client.create<KubeObject & { status?: { allowed?: boolean } }>(
      accessReviews,
      {
        ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {} as ObjectMeta },
        spec: { user, groups: ['system:serviceaccounts', 'system:authenticated'], resourceAttributes: rule },
      },
      { signal },
    );
    if (review.status?.allowed !== true) missing.push(describe(rule));
  }
  const subject = `ServiceAccount ${SUBJECT}`;
  const finding: Finding =
    missing.length === 0
      ? well('permissions', subject, 'may do what it has to in the source')
      : problem('ControllerMayNot', { check: 'permissions', subject }, `it may not ${missing.join(', ')}`);
  return [finding];
};

function describe(rule: {
  verb: string;
  resource: string;
  subresource?: string;
  namespace?: string;
}): string {
  const type = rule.subresource === undefined ? rule.resource : `${rule.resource}/${rule.subresource}`;
  return `${rule.verb} ${type}${rule.namespace === undefined ? '' : ` in ${rule.namespace}`}`;
}
