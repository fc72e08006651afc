import { createHash } from 'node:crypto';

import { annotation, FIELD_MANAGER, type Identity, label } from '@dr-syncer/api';
import { placeholderIds } from '@dr-syncer/identity';
import type { KubeObject } from '@dr-syncer/kube';

export interface PlaceholderOptions {
  readonly namespace: string;
  readonly claim: KubeObject;
  /** UID of the source cluster: whose placeholder it is, where several controllers work with a cluster. */
  readonly owner: string;
  readonly image: string;
  readonly identity: Identity;
  /** Of the namespace. */
  readonly annotations: Readonly<Record<string, string>>;
  /** `label.owner`: whose agents it is for. They and it go together. */
  readonly agentsOwner: string;
  readonly readOnly: boolean;
  /** The volume is bound to certain nodes: their taints must not keep the pod away. */
  readonly tolerateAll: boolean;
}

/** The same for the same claim, so that a second one can't come into being. */
export function placeholderName(claim: KubeObject): string {
  return `dr-syncer-hold-${createHash('sha256')
    .update(claim.metadata.uid ?? '')
    .digest('hex')
    .slice(0, 12)}`;
}

/** As label values allow it. */
export function ownerLabelValue(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 16);
}

/**
 * A pod that does nothing but hold a volume mounted where no pod of the workload does: that binds the claim, attaches
 * the volume and lets the agent of the node find it. It meets the restricted pod security level.
 *
 * With privileged movers kubelet must not give the volume to a group: owners are those of the source.
 */
export function placeholderPod(options: PlaceholderOptions): KubeObject {
  const { namespace, claim, image, readOnly } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: placeholderName(claim),
      namespace,
      labels: {
        'app.kubernetes.io/part-of': 'dr-syncer',
        [label.managedBy]: FIELD_MANAGER,
        [label.placeholder]: claim.metadata.uid ?? '',
        [label.controller]: ownerLabelValue(options.owner),
        [label.owner]: options.agentsOwner,
      },
      annotations: { [annotation.placeholderContext]: placeholderContextHash(options) },
    },
    spec: {
      restartPolicy: 'Always',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      ...(options.tolerateAll && { tolerations: [{ operator: 'Exists' }] }),
      securityContext: podContext(options),
      containers: [
        {
          name: 'pause',
          image,
          imagePullPolicy: 'IfNotPresent',
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { requests: { cpu: '1m', memory: '4Mi' }, limits: { memory: '32Mi' } },
          volumeMounts: [{ name: 'volume', mountPath: '/volume', ...(readOnly && { readOnly }) }],
        },
      ],
      volumes: [{ name: 'volume', persistentVolumeClaim: { claimName: claim.metadata.name } }],
    },
  };
}

/** Tells pods of different identities apart. */
export function placeholderContextHash(
  options: Pick<PlaceholderOptions, 'identity' | 'annotations'>,
): string {
  return createHash('sha256')
    .update(JSON.stringify(podContext(options)))
    .digest('hex')
    .slice(0, 16);
}

function podContext({
  identity,
  annotations,
}: Pick<PlaceholderOptions, 'identity' | 'annotations'>): Record<string, unknown> {
  const { user, group } = placeholderIds(identity, annotations);
  const fsGroup = identity.privileged ? undefined : identity.fsGroup;
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: group,
    ...(fsGroup !== undefined && { fsGroup }),
    // Also without one: admission of OpenShift adds its own, and kubelet would walk through all files each time.
    fsGroupChangePolicy: identity.fsGroupChangePolicy ?? 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
    ...seLinux(identity),
  };
}

/**
 * With the level known before the mount, kubelet can mount the volume with its context instead of relabelling. The
 * policy (Kubernetes 1.32 and later) is dropped by servers that do not know it.
 */
function seLinux({ seLinuxLabel, seLinuxChangePolicy }: Identity): Record<string, unknown> {
  const level = seLinuxLabel?.split(':').slice(3).join(':');
  return {
    ...(level !== undefined && level !== '' && { seLinuxOptions: { level } }),
    ...(seLinuxChangePolicy !== undefined && { seLinuxChangePolicy }),
  };
}
