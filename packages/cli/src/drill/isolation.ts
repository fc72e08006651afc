import { label } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

/** 5353: the DNS pods of OpenShift. */
const DNS = ['UDP', 'TCP'].flatMap((protocol) => [53, 5353].map((port) => ({ protocol, port })));

/**
 * Nothing gets in, and nothing out but DNS and what was asked for: the copy must not be taken for the application, nor do
 * its work a second time. Its pods reach each other. Pure.
 *
 * @param egress addresses outside (CIDR) that its pods may reach
 */
export function drillPolicy(drill: string, standby: string, egress: readonly string[]): KubeObject {
  const inside = { podSelector: {} };
  return {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { name: 'dr-syncer-drill', namespace: drill, labels: { [label.drillOf]: standby } },
    spec: {
      ...{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      ingress: [{ from: [inside] }],
      egress: [
        { to: [inside] },
        { to: [{ namespaceSelector: {} }], ports: DNS },
        ...egress.map((cidr) => ({ to: [{ ipBlock: { cidr } }] })),
      ],
    },
  };
}

/** Kinds of volumes whose content is the pod's own, or that of an object in its namespace. */
const OWN_VOLUMES = new Set([
  ...['configMap', 'secret', 'emptyDir', 'projected', 'downwardAPI', 'persistentVolumeClaim'],
  ...['ephemeral', 'image'],
]);

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly volumes?: readonly Record<string, unknown>[];
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
}

interface Container {
  readonly name?: string;
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly securityContext?: { readonly privileged?: boolean };
}

/**
 * Why pods of this template would reach beyond their namespace, where no NetworkPolicy holds them; undefined: they don't.
 * Pure.
 */
export function reachOf(spec: PodSpec): string | undefined {
  if (spec.hostNetwork === true) return 'uses the network of its node';
  if (spec.hostPID === true || spec.hostIPC === true) return 'sees the processes of its node';
  for (const volume of spec.volumes ?? []) {
    const foreign = Object.keys(volume).find((key) => key !== 'name' && !OWN_VOLUMES.has(key));
    if (foreign !== undefined) return `has a volume of kind ${foreign}`;
  }
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (container.securityContext?.privileged === true) return 'runs privileged';
    if (container.ports?.some(({ hostPort = 0 }) => hostPort > 0) === true) return 'takes a port of its node';
  }
  return undefined;
}
