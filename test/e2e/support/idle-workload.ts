import type { KubeObject } from '../../demo/kubectl.js';

/** Claim and directory of the volume of these workloads. */
export const CLAIM = 'data';
export const DIR = '/data';

/** As OpenShift's controller annotates a namespace. */
export function allocated(first: number, level: string): Record<string, string> {
  return {
    'openshift.io/sa.scc.uid-range': `${first}/10000`,
    'openshift.io/sa.scc.supplemental-groups': `${first}/10000`,
    'openshift.io/sa.scc.mcs': level,
  };
}

export function namespaceObject(
  name: string,
  podSecurity: 'restricted' | 'baseline',
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: { ...labels, 'pod-security.kubernetes.io/enforce': podSecurity },
      annotations,
    },
  };
}

export function claimObject(namespace: string, storageClassName: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: CLAIM, namespace },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName,
      resources: { requests: { storage: '256Mi' } },
    },
  };
}

/** Security contexts of pod and container. */
export interface Contexts {
  readonly pod: object;
  readonly container: object;
}

/** What OpenShift's admission makes of a pod that names nothing. */
export function restrictedContexts(id: number): Contexts {
  return {
    pod: {
      ...{ runAsNonRoot: true, runAsUser: id, runAsGroup: id, fsGroup: id },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    container: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** A pod that does nothing, with the claim mounted. */
export function idlePod(namespace: string, name: string, image: string, contexts: Contexts): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: idlePodSpec(image, contexts),
  };
}

/** The same as a Deployment, which is copied to the standby. */
export function idleDeployment(
  namespace: string,
  name: string,
  image: string,
  contexts: Contexts,
): KubeObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: idlePodSpec(image, contexts) },
    },
  };
}

function idlePodSpec(image: string, { pod, container }: Contexts): object {
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: pod,
    containers: [
      {
        name: 'app',
        image,
        imagePullPolicy: 'IfNotPresent',
        args: ['sleep', 'infinity'],
        securityContext: container,
        volumeMounts: [{ name: 'data', mountPath: DIR }],
      },
    ],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: CLAIM } }],
  };
}

/** Shell: fills the volume as its workload does. */
export const fill = `
  umask 077
  mkdir -p ${DIR}/private/deep
  echo kept > ${DIR}/private/deep/file
  echo counter=1 > ${DIR}/state
  printf '#!/bin/sh\\necho ran\\n' > ${DIR}/script; chmod 750 ${DIR}/script
  ln -s state ${DIR}/link`;

/** Shell: reads all of that, writes into what came, beside it and into its directories. */
export const use = `
  cat ${DIR}/private/deep/file ${DIR}/link; ${DIR}/script
  echo counter=2 >> ${DIR}/state
  echo new > ${DIR}/private/deep/new
  mkdir ${DIR}/more && rm -r ${DIR}/private/deep/file
  tail -n 1 ${DIR}/state; id -u`;
